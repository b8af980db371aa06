#include "remote/routes.h"

#include <algorithm>
#include <optional>

#include "base/text.h"

namespace relais::remote {
namespace {

// Where the domain of a line ends: at the first colon outside brackets.
std::size_t domain_end(std::string_view line) {
    const std::size_t at = line.starts_with('@') ? 1 : 0;
    const std::size_t bracket = line.substr(at).starts_with('[') ? line.find(']') : std::string_view::npos;
    return line.find(':', bracket == std::string_view::npos ? 0 : bracket);
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
    const auto number = parse_number(text);
    if (!number || *number == 0 || *number > 65535) return std::nullopt;
    return static_cast<std::uint16_t>(*number);
}

// "host", "host:port", ":port", "[v6]", "[v6]:port".
bool parse_place(std::string_view target, Route& route) {
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

// What follows the first '|'. Half of what is needed is not nothing: such a route must not send as if it had no name.
bool parse_credentials(std::string_view text, Passwords passwords, Route& route) {
    const std::size_t bar = text.find('|');
    if (bar == std::string_view::npos) return false;
    const std::string_view user = trim(text.substr(0, bar));
    const std::string_view password = text.substr(bar + 1);
    const bool right =
        !user.empty() && !password.empty() && text.find_first_of(std::string_view("\0\r\n", 3)) == text.npos;
    auto credentials = std::make_shared<Credentials>();
    credentials->user = user;
    if (right && passwords == Passwords::keep) credentials->password = Secret(password);
    route.credentials = std::move(credentials);
    return right;
}

Route parse_route(std::string_view key, std::string_view target, Passwords passwords) {
    const std::string_view place = trim(target.substr(0, target.find('|')));
    Route route;
    route.line.append(key).append(":").append(place);
    route.usable = parse_place(place, route);
    const std::size_t bar = target.find('|');
    if (bar == std::string_view::npos) return route;
    const bool right = parse_credentials(target.substr(bar + 1), passwords, route);
    route.line += "|" + (route.credentials ? route.credentials->user : std::string("?")) + "|...";
    route.usable = right && route.usable;
    return route;
}

// Calls take(key, rest) for each line that has a colon: one without routes nothing, as in qmail.
template <class Lines, class Take>
void each_line(const Lines& lines, const Take& take) {
    for (const std::string_view line : lines) {
        const std::size_t end = domain_end(line);
        if (end != std::string_view::npos) take(lower(trim(line.substr(0, end))), line.substr(end + 1));
    }
}

}  // namespace

Routes::Routes(const std::vector<std::string_view>& lines, Passwords passwords) {
    each_line(lines, [&](std::string key, std::string_view target) {
        if (targets_.contains(key)) return;
        Route route = parse_route(key, target, passwords);
        route.named = !key.empty();
        has_credentials_ = has_credentials_ || route.credentials;
        targets_.emplace(std::move(key), std::move(route));
    });
}

Route Routes::match(std::string_view domain) const {
    if (targets_.empty()) return {};
    const std::string name = lower(domain);
    for (std::size_t at = 0; at <= name.size(); ++at) {
        if (at != 0 && at != name.size() && name[at] != '.') continue;
        const auto found = targets_.find(name.substr(at));
        if (found != targets_.end()) return found->second;
    }
    return {};
}

SenderRoutes::SenderRoutes(const std::vector<std::string_view>& lines, Passwords passwords) {
    each_line(lines, [&](std::string key, std::string_view target) {
        if (!key.empty() && key.find('@') == std::string::npos) key.insert(0, "@");
        if (targets_.contains(key)) return;
        Route route = parse_route(key, target, passwords);
        route.named = route.of_sender = true;
        has_credentials_ = has_credentials_ || route.credentials;
        targets_.emplace(std::move(key), std::move(route));
    });
}

const Route* SenderRoutes::find(const std::string& key) const {
    const auto found = targets_.find(key);
    return found == targets_.end() ? nullptr : &found->second;
}

const Route* SenderRoutes::match(std::string_view sender) const {
    if (targets_.empty()) return nullptr;
    const std::string address = lower(sender);
    if (const Route* route = address.empty() ? nullptr : find(address)) return route;
    const std::size_t at = address.rfind('@');
    if (at != std::string::npos) {
        if (const Route* route = find(address.substr(at))) return route;
        for (std::size_t dot = address.find('.', at); dot != std::string::npos;
             dot = address.find('.', dot + 1))
            if (const Route* route = find("@" + address.substr(dot))) return route;
    }
    return find("");
}

}  // namespace relais::remote
