// What the console sends: pages, and where else to go, with what protects them in a browser.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "console/protocol.h"
#include "http/request.h"

namespace relais::console {

// Nothing is loaded, framed, run or sent but what is ours.
std::vector<std::pair<std::string_view, std::string>> protection();
http::Response html(int status, std::string body);
http::Response elsewhere(std::string_view path, const std::string& cookie = "");
// The session's; encrypted: it goes by TLS alone. An empty value takes it back.
std::string cookie_of(std::string_view value, bool encrypted = false);
int status_of(const Answer& answer);
http::Response page(const Answer& who, std::string_view title, std::string_view place, std::string body,
                    unsigned live = 0);
// For pages that need all of it.
http::Response page_or_trouble(const Answer& answer, std::string_view title, std::string_view place,
                               std::string body);

}  // namespace relais::console
