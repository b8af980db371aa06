// To whom a mail exchanger belongs, guessed by its name.
#pragma once

#include <string>
#include <string_view>

namespace relais::explain {

// The name under which an organisation registers: "google.com" for aspmx.l.google.com, "ovh.net",
// "example.co.uk". Names of one known provider are one: googlemail.com is google.com.
std::string provider_of(std::string_view host);

}  // namespace relais::explain
