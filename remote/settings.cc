#include "remote/settings.h"

#include <unistd.h>

#include <algorithm>
#include <functional>

#include "base/cdb.h"
#include "base/error.h"
#include "base/text.h"
#include "control/secret_file.h"

namespace relais::remote {
namespace {

Seconds read_seconds(const control::Home& home, std::string_view name, std::uint64_t fallback,
                     std::uint64_t least) {
    return Seconds(std::clamp<std::uint64_t>(control::read_number(home, name, fallback), least, 7 * 86400));
}

std::vector<std::string> lines(const control::Home& home, std::string_view name) {
    return control::read_lines(home, name).value_or(std::vector<std::string>());
}

template <class Lines>
void add_to_digest(std::size_t& digest, const Lines& lines) {
    for (const auto& line : lines) digest = digest * 31 + std::hash<std::string_view>()(line);
    digest = digest * 31 + lines.size();
}

}  // namespace

SettingsFiles::SettingsFiles(const control::Home& home, Passwords passwords)
    : home_(home), passwords_(passwords), directory_(home.path("control")) {
    for (const char* name : {"me", "helohost", "smtproutes", "authsenders", "tlsdestinations", "outgoingip",
                             "domainips", "ipversions", "rcpthosts", "privatemx", "timeoutconnect",
                             "timeoutremote", "timeoutdns", "remoteidle", "remotemessages", "strict8bit"})
        files_.push_back({home.control_file(name), control::ChangeWatch(home.control_file(name)), true});
}

bool SettingsFiles::changed() {
    const bool directory_changed = directory_.changed();
    bool any = false;
    for (Watched& file : files_) {
        if (directory_changed) file.exists = ::access(file.path.c_str(), F_OK) == 0;
        if (directory_changed || file.exists) any = file.watch.changed() || any;
    }
    return any;
}

const Settings& SettingsFiles::current() {
    if (!changed() && valid_) return settings_;
    valid_ = false;
    settings_ = read();
    valid_ = true;
    return settings_;
}

Settings SettingsFiles::read() const {
    Settings fresh;
    fresh.helo_host = control::read_line_or_me(home_, "helohost");
    add_to_digest(fresh.digest, std::vector{fresh.helo_host});
    if (const auto secret = control::SecretLines::read(home_, "smtproutes")) {
        fresh.routes = Routes(secret->lines(), passwords_);
        add_to_digest(fresh.digest, secret->lines());
    }
    if (const auto secret = control::SecretLines::read(home_, "authsenders")) {
        fresh.sender_routes = SenderRoutes(secret->lines(), passwords_);
        add_to_digest(fresh.digest, secret->lines());
    }
    const auto destinations = lines(home_, "tlsdestinations");
    const auto addresses = lines(home_, "outgoingip"), by_domain = lines(home_, "domainips");
    fresh.tls = TlsDestinations(destinations);
    fresh.sources = Sources(addresses, by_domain);
    fresh.families = read_families();
    for (const auto* each : {&destinations, &addresses, &by_domain}) add_to_digest(fresh.digest, *each);
    fresh.rcpthosts = control::DomainSet(lines(home_, "rcpthosts"));
    fresh.privatemx = control::DomainSet(lines(home_, "privatemx"));
    fresh.timeout_connect = read_seconds(home_, "timeoutconnect", 60, 1);
    fresh.timeout_remote = read_seconds(home_, "timeoutremote", 1200, 1);
    // The resolver gives up by itself; a little later nobody listens any more.
    fresh.timeout_dns = read_seconds(home_, "timeoutdns", 30, 1) + Seconds(5);
    fresh.idle = read_seconds(home_, "remoteidle", 5, 0);
    fresh.messages = std::max<std::uint64_t>(control::read_number(home_, "remotemessages", 100), 1);
    fresh.strict_8bit = control::read_line(home_, "strict8bit").value_or("0") != "0";
    return fresh;
}

Families SettingsFiles::read_families() const {
    const std::string text = control::read_line(home_, "ipversions").value_or("64");
    const auto families = parse_families(text);
    if (!families) throw_permanent("control/ipversions must be 4, 6, 46 or 64: " + text);
    return *families;
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

Route route_of(const Settings& settings, std::string_view sender, std::string_view domain) {
    if (const Route* route = settings.sender_routes.match(sender)) return *route;
    return settings.routes.match(domain);
}

TlsPolicy tls_policy_of(const Settings& settings, const Route& route, std::string_view domain,
                        std::string_view server) {
    TlsPolicy policy = route.host.empty()  ? settings.tls.match({domain, server})
                       : route.credentials ? with_credentials(settings.tls.match({route.host}))
                                           : settings.tls.match({route.host, domain});
    if (route.port == implicit_tls_port && policy.level != TlsLevel::none) policy.implicit = true;
    return policy;
}

std::string route_key(const Settings& settings, std::string_view sender, std::string_view domain) {
    const Route route = route_of(settings, sender, domain);
    const Source& source = settings.sources.choose(sender, domain);
    // The address of a server is known by its route or its domain; settings that name it by its MX hold for
    // all who share it.
    const TlsPolicy& policy = settings.tls.match({route.host, domain});
    std::string key = route.host.empty() ? "mx " + lower(domain) : "host " + lower(route.host);
    key += " " + std::to_string(route.port) + " " + std::to_string(settings.digest);
    if (route.credentials) key += " as " + route.credentials->user + "|" + route.line;
    if (!policy.line.empty()) key += " tls " + policy.line;
    if (!source.line.empty()) key += " from " + source.line;
    return key;
}

}  // namespace relais::remote
