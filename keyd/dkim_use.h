// Which of a domain's keys sign: control/dkim/DOMAIN/.use, a selector a line, read by qmail-keyd. And those
// that signed before, with the time at which they were taken out of use: .retired, "SELECTOR SECONDS" a line.
// A signature of theirs may still be on its way, so their records stay published for a while.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/home.h"

namespace relais::keyd {

struct DkimUse {
    std::optional<std::vector<std::string>> in_use{};  // nothing: all keys of the domain
    std::map<std::string, std::int64_t> retired{};     // selector, unix seconds

    bool uses(const std::string& selector) const;
};

// Throws Error.
DkimUse read_dkim_use(const control::Home& home, std::string_view domain);
// Durably; in_use last. Throws Error.
void write_dkim_use(const control::Home& home, std::string_view domain, const DkimUse& use);
// Takes a key away for good. Throws Error.
void remove_dkim_key(const control::Home& home, std::string_view domain, const std::string& selector);

// From now on these sign; what did until now is retired. Pure.
DkimUse with_keys(DkimUse use, std::vector<std::string> selectors, const std::vector<std::string>& all,
                  std::int64_t now);
// Those retired before a moment. Pure.
std::vector<std::string> retired_before(const DkimUse& use, std::int64_t moment);

}  // namespace relais::keyd
