#include "remote/settings.h"

#include <unistd.h>

#include <algorithm>

#include "base/cdb.h"
#include "base/text.h"

namespace relais::remote {
namespace {

Seconds read_seconds(const control::Home& home, std::string_view name, std::uint64_t fallback,
                     std::uint64_t least) {
    return Seconds(std::clamp<std::uint64_t>(control::read_number(home, name, fallback), least, 7 * 86400));
}

std::vector<std::string> lines(const control::Home& home, std::string_view name) {
    return control::read_lines(home, name).value_or(std::vector<std::string>());
}

}  // namespace

SettingsFiles::SettingsFiles(const control::Home& home) : home_(home) {
    for (const char* name : {"me", "helohost", "smtproutes", "rcpthosts", "privatemx", "timeoutconnect",
                             "timeoutremote", "timeoutdns", "remoteidle", "remotemessages", "strict8bit"})
        watches_.emplace_back(home.control_file(name));
}

const Settings& SettingsFiles::current() {
    bool changed = !valid_;
    for (control::ChangeWatch& watched : watches_) changed = watched.changed() || changed;
    if (!changed) return settings_;
    valid_ = false;
    Settings fresh;
    fresh.helo_host = control::read_line_or_me(home_, "helohost");
    fresh.routes = Routes(lines(home_, "smtproutes"));
    fresh.rcpthosts = control::DomainSet(lines(home_, "rcpthosts"));
    fresh.privatemx = control::DomainSet(lines(home_, "privatemx"));
    fresh.timeout_connect = read_seconds(home_, "timeoutconnect", 60, 1);
    fresh.timeout_remote = read_seconds(home_, "timeoutremote", 1200, 1);
    // The resolver gives up by itself; a little later nobody listens any more.
    fresh.timeout_dns = read_seconds(home_, "timeoutdns", 30, 1) + Seconds(5);
    fresh.idle = read_seconds(home_, "remoteidle", 5, 0);
    fresh.messages = std::max<std::uint64_t>(control::read_number(home_, "remotemessages", 100), 1);
    fresh.strict_8bit = control::read_line(home_, "strict8bit").value_or("0") != "0";
    settings_ = std::move(fresh);
    valid_ = true;
    return settings_;
}

bool SettingsFiles::in_morercpthosts(std::string_view domain) const {
    const std::string path = home_.control_file("morercpthosts.cdb");
    if (::access(path.c_str(), F_OK) != 0) return false;
    const CdbReader database(path);
    const std::string name = lower(domain);
    if (database.find(name)) return true;
    for (std::size_t dot = name.find('.'); dot != std::string::npos; dot = name.find('.', dot + 1))
        if (database.find(std::string_view(name).substr(dot))) return true;
    return false;
}

std::string route_key(const Settings& settings, std::string_view domain) {
    const Route route = settings.routes.match(domain);
    const std::string place = route.host.empty() ? "mx " + lower(domain) : "host " + lower(route.host);
    return place + " " + std::to_string(route.port) + " " + settings.helo_host;
}

}  // namespace relais::remote
