#include "remote/routes.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <unordered_set>

#include "base/idna.h"
#include "base/text.h"
#include "qmtp/protocol.h"

namespace relais::remote {
namespace {

// Of a unix socket (sun_path without its NUL).
constexpr std::size_t socket_path_limit = 107;

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

// "host", "host:port", ":port", "[v6]", "[v6]:port". What is wrong with it, empty if nothing.
std::string_view parse_place(std::string_view target, Route& route) {
    std::string_view host = target;
    std::string_view port;
    if (target.starts_with('[')) {
        const std::size_t close = target.find(']');
        if (close == std::string_view::npos) return "a bracket is not closed";
        host = target.substr(1, close - 1);
        port = target.substr(close + 1);
        if (host.empty()) return "there is nothing between the brackets";
        if (!port.empty() && port.front() != ':') return "behind a bracket only a colon and a port may stand";
        if (starts_ignoring_case(host, "IPv6:")) host.remove_prefix(5);
    } else {
        host = target.substr(0, target.find(':'));
        port = target.substr(host.size());
    }
    if (host.find_first_of("[]") != std::string_view::npos) return "a bracket stands where none may";
    if (host.find_first_of(" \t") != std::string_view::npos) return "there is a blank in the host";
    route.host = dns_spelling(host);
    if (port.size() <= 1) return "";
    const auto number = parse_port(port.substr(1));
    if (!number) return "the port is no number from 1 to 65535";
    route.port = *number;
    return "";
}

// What follows the first '|'. Half of what is needed is not nothing: such a route must not send as if it had
// no name.
std::string_view parse_credentials(std::string_view text, Passwords passwords, Route& route) {
    const std::size_t bar = text.find('|');
    if (bar == std::string_view::npos) return "behind the user another | and a password must stand";
    const std::string_view user = trim(text.substr(0, bar));
    const std::string_view password = text.substr(bar + 1);
    auto credentials = std::make_shared<Credentials>();
    credentials->user = user;
    if (passwords == Passwords::keep) credentials->password = Secret(password);
    route.credentials = std::move(credentials);
    if (user.empty()) return "the user is missing";
    if (password.empty()) return "the password is missing";
    if (text.find_first_of(std::string_view("\0\r\n", 3)) != text.npos)
        return "user and password cannot hold NUL or CR";
    return route.host.empty() ? "a route with a password must name its server" : "";
}

Route parse_route(std::string_view key, std::string_view target, Passwords passwords) {
    const std::string_view place = trim(target.substr(0, target.find('|')));
    Route route;
    route.line.append(key).append(":").append(place);
    route.complaint = parse_place(place, route);
    if (const std::size_t bar = target.find('|'); bar != std::string_view::npos) {
        const std::string_view wrong = parse_credentials(target.substr(bar + 1), passwords, route);
        if (route.complaint.empty()) route.complaint = wrong;
        route.line += "|" + (route.credentials ? route.credentials->user : std::string("?")) + "|...";
    }
    route.usable = route.complaint.empty();
    return route;
}

Route without_colon(std::string_view line) {
    Route route;
    route.line = line.substr(0, line.find('|'));
    route.line += "|...";
    route.usable = false;
    route.complaint = "before the host a domain, or nothing, and a colon must stand";
    route.credentials = std::make_shared<Credentials>();
    return route;
}

// Calls take(key, route) for each line that has a colon: one without routes nothing, as in qmail, unless
// somebody who meant to log in forgot it.
template <class Lines, class Take>
void each_line(const Lines& lines, Passwords passwords, const Take& take) {
    for (const std::string_view line : lines) {
        const std::size_t end = domain_end(line.substr(0, line.find('|')));
        if (end != std::string_view::npos) {
            const std::string key = comparable(trim(line.substr(0, end)));
            take(key, parse_route(key, line.substr(end + 1), passwords));
        } else if (line.find('|') != std::string_view::npos) {
            take("", without_colon(line));
        }
    }
}

}  // namespace

const char* Route::file() const {
    if (protocol == Protocol::lmtp) return "control/lmtproutes";
    if (protocol == Protocol::qmtp) return "control/qmtproutes";
    return of_sender ? "control/authsenders" : "control/smtproutes";
}

const char* Route::name() const {
    return std::strchr(file(), '/') + 1;
}

Routes::Routes(const std::vector<std::string_view>& lines, Passwords passwords) {
    each_line(lines, passwords, [&](std::string key, Route route) {
        if (targets_.contains(key)) return;
        route.named = !key.empty();
        has_credentials_ = has_credentials_ || route.credentials;
        targets_.emplace(std::move(key), std::move(route));
    });
}

void Routes::add_qmtp(const std::vector<std::string>& lines) {
    std::unordered_set<std::string> seen;
    for (const std::string& line : lines) {
        const std::size_t end = domain_end(line);
        if (end == std::string::npos) continue;
        std::string key = comparable(trim(std::string_view(line).substr(0, end)));
        if (!seen.insert(key).second) continue;
        Route route;
        route.protocol = Protocol::qmtp;
        route.port = qmtp::qmtp_port;
        route.named = !key.empty();
        route.line = line;
        route.complaint = parse_place(trim(std::string_view(line).substr(end + 1)), route);
        if (route.complaint.empty() && route.host.empty())
            route.complaint = "a host must stand behind the domain";
        route.usable = route.complaint.empty();
        targets_.insert_or_assign(std::move(key), std::move(route));
    }
}

Route Routes::match(std::string_view domain) const {
    if (targets_.empty()) return {};
    const std::string name = comparable(domain);
    for (std::size_t at = 0; at <= name.size(); ++at) {
        if (at != 0 && at != name.size() && name[at] != '.') continue;
        const auto found = targets_.find(name.substr(at));
        if (found != targets_.end()) return found->second;
    }
    return {};
}

LmtpRoutes::LmtpRoutes(const std::vector<std::string>& lines) {
    for (const std::string& line : lines) {
        const std::size_t end = domain_end(line);
        if (end == std::string::npos) continue;
        const std::string key = comparable(trim(std::string_view(line).substr(0, end)));
        if (key.empty() || targets_.contains(key)) continue;
        const std::string_view target = trim(std::string_view(line).substr(end + 1));
        Route route;
        route.protocol = Protocol::lmtp;
        route.named = true;
        route.line = line;
        if (target.starts_with('/')) {
            route.socket = target;
            if (target.size() > socket_path_limit)
                route.complaint = "the path of a socket has 107 octets at most";
        } else {
            route.port = 0;
            route.complaint = parse_place(target, route);
            if (route.complaint.empty() && (route.host.empty() || route.port == 0))
                route.complaint = "a host and a port must stand behind the domain, or a path";
        }
        route.usable = route.complaint.empty();
        targets_.emplace(key, std::move(route));
    }
}

const Route* LmtpRoutes::match(std::string_view domain) const {
    const std::string name = targets_.empty() ? "" : comparable(domain);
    for (std::size_t at = 0; at < name.size(); ++at) {
        if (at != 0 && name[at] != '.') continue;
        if (const auto found = targets_.find(name.substr(at)); found != targets_.end()) return &found->second;
    }
    return nullptr;
}

SenderRoutes::SenderRoutes(const std::vector<std::string_view>& lines, Passwords passwords) {
    each_line(lines, passwords, [&](std::string key, Route route) {
        if (!key.empty() && key.find('@') == std::string::npos) key.insert(0, "@");
        if (targets_.contains(key)) return;
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
    const std::string address = comparable(sender);
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
