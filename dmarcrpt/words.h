// What dmarc-report says of reports.
#pragma once

#include <string>
#include <vector>

#include "dmarcrpt/report.h"

namespace relais::dmarcrpt {

// All messages in the name of one domain from one address, as all reports tell.
struct Source {
    std::string domain{};
    std::string ip{};
    std::uint64_t messages = 0;
    std::uint64_t passed = 0;
    std::uint64_t dkim = 0, spf = 0;   // passed by it
    std::uint64_t stopped = 0;         // refused, or put apart
    std::uint64_t begin = 0, end = 0;  // of all the reports, in seconds since 1970; 0 where none says
    std::vector<std::string> reporters{};
    std::vector<std::string> names{};  // whose signature or SPF passed: who it may be
};
// At most so many reporters and names of one.
inline constexpr std::size_t names_limit = 10;
// The one with most messages that do not pass first, then by messages.
std::vector<Source> sources_of(const std::vector<Report>& reports);

// For people, safe for a terminal; for programs, one JSON object and a line end.
std::string text_of(const std::vector<Report>& reports);
std::string json_of(const std::vector<Report>& reports);

}  // namespace relais::dmarcrpt
