// What mail-verify says of a verified message.
#pragma once

#include <optional>
#include <string>

#include "authres/verification.h"

namespace relais::explain {

// The sender without brackets: the one given, else the topmost Return-Path, else none.
std::string sender_of(const std::optional<std::string>& given, const authres::MessageHeader& header);

// A line "METHOD: RESULT NAME=VALUE...: REASON" for SPF, each signature, DMARC and ARC, then the field.
std::string verified_text(const authres::VerifiedMessage& verified, const authres::SpfQuestion& question);
std::string verified_json(const authres::VerifiedMessage& verified, const authres::SpfQuestion& question);

// 0: all passes, or there was nothing to verify; 1: something fails; 111: DNS gave no answer, and nothing
// else fails.
int exit_code(const authres::VerifiedMessage& verified);

}  // namespace relais::explain
