// What tls-report says of reports.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tlsrpt/report.h"

namespace relais::tlsrpt {

// What a result type means, and what to do: two sentences; "" for one that RFC 8460 does not know.
std::string_view meaning_of(std::string_view result);

// For people, safe for a terminal; for programs, one JSON object and a line end.
std::string text_of(const std::vector<Report>& reports);
std::string json_of(const std::vector<Report>& reports);

}  // namespace relais::tlsrpt
