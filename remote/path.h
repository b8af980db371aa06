// Addresses as MAIL and RCPT say them (RFC 5321, 4.1.2), and those that they cannot say. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "remote/report.h"

namespace relais::remote {

// "<local@domain>", the local part quoted if it must be; "<>" for the null sender.
std::string path(const std::string& address);

// False for an address that could end its command, or begin another: it must never be sent.
bool fits_in_path(std::string_view address);

// True if the address needs SMTPUTF8 (RFC 6531): an octet of it is above 127.
bool needs_smtp_utf8(std::string_view address);

// What becomes of a message that nobody need be asked about: its sender, or each of its recipients, cannot be
// said in SMTP.
std::optional<Result> refuse_unsayable(const std::string& sender, const std::vector<std::string>& recipients);

// What becomes of one such recipient.
send::RecipientReport unsayable_recipient();

}  // namespace relais::remote
