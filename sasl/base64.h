// Base64 (RFC 4648, 4), strictly: the 64 characters, padding where and only where it belongs, no bits set
// that nobody reads, nothing else. What can be decoded has one spelling. Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "sasl/secret.h"

namespace relais::sasl {

std::string encode_base64(std::string_view octets);
// Nothing for what is not exactly base64.
std::optional<std::string> decode_base64(std::string_view text);
// The same into and out of memory for secrets.
Secret encode_base64_secret(std::string_view octets);
std::optional<Secret> decode_base64_secret(std::string_view text);

}  // namespace relais::sasl
