// Enhanced status codes (RFC 3463): class.subject.detail, as replies and qmail's texts have them. Pure.
#pragma once

#include <string>
#include <string_view>

namespace relais::mail {

// '2', '4' or '5'. The code behind the digits of an SMTP reply ("550 5.1.1 no such user"), else the first one
// that our own text names ("(#5.1.1)"), each only if it is of that class; else class.0.0.
std::string enhanced_status(char status_class, std::string_view reply, std::string_view text);

}  // namespace relais::mail
