// Addresses with letters beyond US-ASCII (RFC 6531 to 6533). Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace relais::mail {

bool is_ascii(std::string_view text);

// Whether an address may stand in MAIL or RCPT under SMTPUTF8: UTF-8, without control characters and marks
// that turn the direction of writing, and each label of its domain can become an A-label.
bool is_utf8_address(std::string_view address);

// The address with its domain as A-labels, for a server that knows no UTF-8 (RFC 6531, 3.2). Nothing if that
// is not enough.
std::optional<std::string> ascii_address(std::string_view address);

// RFC 6533, 3: the address of ORCPT and Original-Recipient of the type utf-8, where "\x{2B}" stands for '+'
// and "\x{FC}" for a letter. Nothing for what is none.
std::optional<std::string> decode_utf8_address(std::string_view text);
// In the form that is ASCII (utf-8-addr-xtext). What is no UTF-8 becomes U+FFFD.
std::string encode_utf8_address(std::string_view address);
// A value of ORCPT with its address in that form, where it has letters beyond US-ASCII: so any server, and
// programs of other versions, can read it.
std::string ascii_orcpt(const std::string& orcpt);

}  // namespace relais::mail
