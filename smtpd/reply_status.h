// The enhanced status (RFC 3463, RFC 5248) of our replies, where RFC 2034 puts it: behind the reply's code
// and before its text, which stays as it is. Pure.
#pragma once

#include <string>
#include <string_view>

namespace relais::smtpd {

// A reply of one line as a client hears it that has been told of ENHANCEDSTATUSCODES. verb: the command that
// it answers, in upper case; "" for a line that is none. What answers HELO and EHLO, what is no 2xx, 4xx or
// 5xx (RFC 2034, 4), and what has a status there already stays as it is.
std::string with_status(std::string_view verb, std::string_view reply);

}  // namespace relais::smtpd
