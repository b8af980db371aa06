// Lines of a client that speaks another protocol: a form in a browser, or a program that was made to send its
// request here. What stands behind them must not be carried out. Pure.
#pragma once

#include <string_view>

namespace relais::smtpd {

// "POST / HTTP/1.1" and its like, with or without the version (RFC 9112, 3). No command of SMTP looks so.
bool is_http_request(std::string_view line);

// "Host: example.org": a name, and a colon right behind it (RFC 9110, 5.1). No greeting of SMTP looks so.
bool is_header_field(std::string_view line);

// What a proxy says before its client speaks: a line of version 1 of the PROXY protocol, or the line of
// version 2's signature that is nothing else. Where proxies are expected it does not come as far as here
// (listen/proxy_header.h).
bool is_proxy_header(std::string_view line);

}  // namespace relais::smtpd
