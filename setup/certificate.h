// The certificate that a new instance starts with, and what is odd about the one that is there.
#pragma once

#include <string>

namespace relais::setup {

// A key (EC P-256) and a self-signed certificate for name, valid for ten years, PEM. Throws Error.
std::string self_signed_certificate(const std::string& name);

}  // namespace relais::setup
