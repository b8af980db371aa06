// What an account is called, however a client spells it. Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace relais::auth {

inline constexpr std::size_t account_name_limit = 255;

// The one spelling of a login name: "Anna", "anna%example.org" and "anna@Example.org" are "anna@example.org"
// when that is the default domain. Nothing for what cannot name an account: empty, too long, or with blanks,
// controls, octets outside ASCII, '/' or ':' in it.
std::optional<std::string> canonical_name(std::string_view login, std::string_view default_domain);

}  // namespace relais::auth
