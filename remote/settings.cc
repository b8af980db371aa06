#include "remote/settings.h"

#include <unistd.h>

#include <algorithm>
#include <functional>

#include "base/error.h"
#include "base/text.h"
#include "control/secret_file.h"
#include "control/setting.h"

namespace relais::remote {
namespace {

template <class Lines>
void add_to_digest(std::size_t& digest, const Lines& lines) {
    for (const auto& line : lines) digest = digest * 31 + std::hash<std::string_view>()(line);
    digest = digest * 31 + lines.size();
}

Families read_families(const control::Home& home) {
    const std::string text = control::read<"ipversions">(home);
    const auto families = parse_families(text);
    if (!families) throw_permanent("control/ipversions must be 4, 6, 46 or 64: " + text);
    return *families;
}

}  // namespace

Settings Settings::read(const control::Home& home, Passwords passwords) {
    Settings fresh;
    fresh.helo_host = control::read<"helohost">(home);
    add_to_digest(fresh.digest, std::vector{fresh.helo_host});
    if (const auto secret = control::SecretLines::read(home, control::row<"smtproutes">.name)) {
        fresh.routes = Routes(secret->lines(), passwords);
        add_to_digest(fresh.digest, secret->lines());
    }
    if (const auto secret = control::SecretLines::read(home, control::row<"authsenders">.name)) {
        fresh.sender_routes = SenderRoutes(secret->lines(), passwords);
        add_to_digest(fresh.digest, secret->lines());
    }
    const auto qmtp = control::read<"qmtproutes">(home);
    fresh.routes.add_qmtp(qmtp);
    if (!qmtp.empty()) add_to_digest(fresh.digest, qmtp);
    const auto lmtp = control::read<"lmtproutes">(home);
    fresh.lmtp_routes = LmtpRoutes(lmtp);
    add_to_digest(fresh.digest, lmtp);
    const auto destinations = control::read<"tlsdestinations">(home);
    const auto addresses = control::read<"outgoingip">(home), by_domain = control::read<"domainips">(home);
    fresh.tls = TlsDestinations(destinations);
    fresh.sources = Sources(addresses, by_domain);
    fresh.dane = control::read<"dane">(home);
    fresh.mtasts = control::read<"mtasts">(home);
    fresh.requiretls = control::read<"requiretls">(home);
    fresh.mtasts_authorities = control::read<"mtastsca">(home);
    fresh.digest = fresh.digest * 31 + (fresh.dane ? 1 : 0) + (fresh.mtasts ? 2 : 0) + fresh.requiretls * 4;
    fresh.families = read_families(home);
    for (const auto* each : {&destinations, &addresses, &by_domain}) add_to_digest(fresh.digest, *each);
    fresh.rcpthosts = control::DomainSet(control::read<"rcpthosts">(home));
    const std::string more = home.control_file("morercpthosts.cdb");
    control::WatchList::note_read(more);
    if (::access(more.c_str(), F_OK) == 0) fresh.morercpthosts = std::make_shared<const CdbReader>(more);
    fresh.tls_memory = control::read<"tlsmemory">(home);
    fresh.privatemx = control::DomainSet(control::read<"privatemx">(home));
    fresh.timeout_connect = control::read<"timeoutconnect">(home);
    fresh.timeout_remote = control::read<"timeoutremote">(home);
    // The resolver gives up by itself; a little later nobody listens any more.
    fresh.timeout_dns = control::read<"timeoutdns">(home) + Seconds(5);
    fresh.idle = control::read<"remoteidle">(home);
    fresh.messages = control::read<"remotemessages">(home);
    fresh.hide_addresses = control::read<"proctitle">(home);
    fresh.strict_8bit = control::read<"strict8bit">(home) != "0";
    return fresh;
}

const Settings& SettingsFiles::current() {
    const Settings& settings = kept_ ? settings_.last() : settings_.get();
    morercpthosts_ = settings.morercpthosts;
    return settings;
}

bool SettingsFiles::in_morercpthosts(std::string_view domain) const {
    if (!morercpthosts_) return false;
    const std::string name = lower(domain);
    if (morercpthosts_->find(name)) return true;
    for (std::size_t dot = name.find('.'); dot != std::string::npos; dot = name.find('.', dot + 1))
        if (morercpthosts_->find(std::string_view(name).substr(dot))) return true;
    return false;
}

Secret password_of(const control::Home& home, const Route& route, std::string_view sender,
                   std::string_view domain) {
    const auto secret = control::SecretLines::read(
        home, route.of_sender ? control::row<"authsenders">.name : control::row<"smtproutes">.name);
    if (!secret) return {};
    if (!route.of_sender) {
        const Route found = Routes(secret->lines()).match(domain);
        return found.credentials ? Secret(found.credentials->password.view()) : Secret();
    }
    const SenderRoutes routes(secret->lines());
    const Route* const found = routes.match(sender);
    return found != nullptr && found->credentials ? Secret(found->credentials->password.view()) : Secret();
}

std::string authority_file(const control::Home& home, const TlsPolicy& policy) {
    return policy.ca_file.starts_with('/') ? policy.ca_file : home.control_file(policy.ca_file);
}

std::vector<std::string> authority_files(const control::Home& home, const Settings& settings) {
    std::vector<std::string> files;
    settings.tls.for_each([&](const TlsPolicy& policy) {
        if (!policy.ca_file.empty()) files.push_back(authority_file(home, policy));
    });
    if (settings.mtasts || settings.requiretls > 0) {
        TlsPolicy of_domains;
        of_domains.ca_file = settings.mtasts_authorities;
        files.push_back(authority_file(home, of_domains));
    }
    return files;
}

Route route_of(const Settings& settings, std::string_view sender, std::string_view domain) {
    if (const Route* route = settings.lmtp_routes.match(domain)) return *route;
    if (const Route* route = settings.sender_routes.match(sender)) return *route;
    return settings.routes.match(domain);
}

TlsPolicy tls_policy_of(const Settings& settings, const Route& route, std::string_view domain,
                        std::string_view server) {
    if (!route.socket.empty()) {
        TlsPolicy none;
        none.level = TlsLevel::none;
        return none;
    }
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
    // A server of another protocol is told apart from one of SMTP at the same place.
    if (route.protocol == Protocol::qmtp) key = "qmtp " + lower(route.host);
    if (route.protocol == Protocol::lmtp)
        key = "lmtp " + (route.socket.empty() ? lower(route.host) : route.socket);
    key += " " + std::to_string(route.port) + " " + std::to_string(settings.digest);
    if (route.credentials) key += " as " + route.credentials->user + "|" + route.line;
    if (!policy.line.empty()) key += " tls " + policy.line;
    if (!source.line.empty()) key += " from " + source.line;
    return key;
}

}  // namespace relais::remote
