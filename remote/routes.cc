#include "remote/routes.h"

#include <optional>

#include "base/text.h"

namespace relais::remote {
namespace {

// Where the domain of a line ends: at the first colon outside brackets.
std::size_t domain_end(std::string_view line) {
    const std::size_t bracket = line.starts_with('[') ? line.find(']') : std::string_view::npos;
    return line.find(':', bracket == std::string_view::npos ? 0 : bracket);
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
    const auto number = parse_number(text);
    if (!number || *number == 0 || *number > 65535) return std::nullopt;
    return static_cast<std::uint16_t>(*number);
}

// "host", "host:port", ":port", "[v6]", "[v6]:port"; what follows '|' is for authentication.
bool parse_target(std::string_view target, Route& route) {
    target = trim(target.substr(0, target.find('|')));
    std::string_view host = target;
    std::string_view port;
    if (target.starts_with('[')) {
        const std::size_t close = target.find(']');
        if (close == std::string_view::npos) return false;
        host = target.substr(1, close - 1);
        port = target.substr(close + 1);
        if (host.empty() || (!port.empty() && port.front() != ':')) return false;
        if (starts_ignoring_case(host, "IPv6:")) host.remove_prefix(5);
    } else {
        host = target.substr(0, target.find(':'));
        port = target.substr(host.size());
    }
    if (host.find_first_of("[]") != std::string_view::npos) return false;
    route.host = host;
    if (port.size() <= 1) return true;
    const auto number = parse_port(port.substr(1));
    if (!number) return false;
    route.port = *number;
    return true;
}

}  // namespace

Routes::Routes(const std::vector<std::string>& lines) {
    for (const std::string& line : lines) {
        const std::size_t end = domain_end(line);
        // A line without a colon routes nothing, as in qmail.
        if (end != std::string::npos)
            targets_.emplace(lower(trim(line.substr(0, end))), line.substr(end + 1));
    }
}

Route Routes::match(std::string_view domain) const {
    const std::string name = lower(domain);
    for (std::size_t at = 0; at <= name.size(); ++at) {
        if (at != 0 && at != name.size() && name[at] != '.') continue;
        const auto found = targets_.find(name.substr(at));
        if (found == targets_.end()) continue;
        Route route;
        route.named = !found->first.empty();
        route.line = found->first + ":" + found->second;
        route.usable = parse_target(found->second, route);
        return route;
    }
    return {};
}

}  // namespace relais::remote
