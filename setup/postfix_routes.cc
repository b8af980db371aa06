// relayhost, transport_maps and smtp_sasl_password_maps, as smtproutes, lmtproutes and tlsdestinations.
#include <algorithm>
#include <set>

#include "base/text.h"
#include "setup/postfix_settings.h"

namespace relais::setup {
namespace {

class Routes {
  public:
    Routes(const PostfixConfig& config, Proposals& proposals) : config_(config), proposals_(proposals) {}
    void propose();

  private:
    void read_passwords();
    void propose_relayhost();
    void propose_transports();
    void propose_transport(const std::string& pattern, const std::string& value, const std::string& from);
    void propose_lmtp(const std::string& domain, const std::string& next, const std::string& from);
    void propose_route(const std::string& domain, const std::string& next, const std::string& from);
    void propose_tls();
    std::optional<std::string> login(const std::string& next, const NextHop& hop) const;

    const PostfixConfig& config_;
    Proposals& proposals_;
    std::set<std::string> locals_{};  // mydestination
    std::map<std::string, std::string> passwords_{};
    bool any_login_ = false;
    bool has_route_of_all_ = false;
};

void Routes::read_passwords() {
    if (config_.value("smtp_sasl_auth_enable") != "yes") return;
    for (const std::string& map : list_of(config_.value("smtp_sasl_password_maps"))) {
        std::string why;
        if (const auto entries = config_.map(map, why)) {
            for (const auto& [key, value] : *entries) passwords_.try_emplace(key, value);
        } else {
            proposals_.by_hand("smtp_sasl_password_maps", why +
                                                              ": write user and password behind its line of "
                                                              "control/smtproutes (docs/smarthost.md)");
        }
    }
    for (const auto& [key, value] : passwords_)
        if (key.find('@') != key.npos)
            proposals_.by_hand("smtp_sasl_password_maps",
                               safe_for_log(key) + " is a sender's: control/authsenders has such logins");
}

// "|user|password" for that server; "" if it has none; nothing if it cannot be written.
std::optional<std::string> Routes::login(const std::string& next, const NextHop& hop) const {
    for (const std::string& key : {hop.host, next}) {
        const auto found = passwords_.find(key);
        if (found == passwords_.end()) continue;
        const std::size_t colon = found->second.find(':');
        const std::string user = found->second.substr(0, colon);
        const std::string password = colon == std::string::npos ? "" : found->second.substr(colon + 1);
        const bool fits = is_plain(user) && user.find('|') == user.npos && !password.empty() &&
                          trim(password) == password && password.find_first_of("\n|") == password.npos;
        if (!fits) return std::nullopt;
        return "|" + user + "|" + password;
    }
    return "";
}

void Routes::propose_route(const std::string& domain, const std::string& next, const std::string& from) {
    const auto hop = parse_next_hop(next);
    const std::string path = "control/smtproutes";
    if (!hop || (!hop->host.empty() && !is_plain(hop->host)))
        return proposals_.by_hand(
            from, safe_for_log(next) + " is no next hop that a line of " + path + " can have");
    const auto with = login(next, *hop);
    if (!with)
        return proposals_.by_hand(
            from, "the login for " + safe_for_log(next) + " cannot be written into a line of " + path);
    const bool v6 = hop->host.find(':') != hop->host.npos;
    const bool tls = config_.value("smtp_tls_wrappermode") == "yes" && hop->port != 465;
    std::string line = domain + ":" + (v6 ? "[" + hop->host + "]" : hop->host);
    if (hop->port != 25 || !with->empty()) line += ":" + std::to_string(hop->port);
    any_login_ = any_login_ || !with->empty();
    proposals_.line(path, line + *with, from);
    if (tls)
        proposals_.by_hand("smtp_tls_wrappermode", "TLS from the first octet is spoken on port 465 alone");
    if (!hop->exact && !hop->host.empty())
        proposals_.by_hand(from, "Postfix asks for the MX of " + hop->host + ", its line in " + path +
                                     " means the host itself: write the MX there if that is another one");
}

void Routes::propose_relayhost() {
    const std::string next = config_.value("relayhost");
    if (next.empty()) return;
    if (has_route_of_all_)
        return proposals_.by_hand(
            "relayhost", "not taken: transport_maps has a line for all domains (*), which comes before it");
    if (list_of(next).size() > 1)
        return proposals_.by_hand("relayhost", "several servers: control/smtproutes has one for a domain");
    propose_route("", next, "relayhost");
}

void Routes::propose_lmtp(const std::string& domain, const std::string& next, const std::string& from) {
    std::string server = next;
    if (server.starts_with("unix:")) {
        server.erase(0, 5);
        // Relative paths are below the queue.
        if (!server.starts_with('/')) server = config_.value("queue_directory") + "/" + server;
        if (server.starts_with(config_.value("queue_directory") + "/"))
            proposals_.by_hand(
                from, server +
                          " is in Postfix's queue: give the server a socket elsewhere, for qmailr, before "
                          "that goes, and change control/lmtproutes");
    } else {
        if (server.starts_with("inet:")) server.erase(0, 5);
        const auto hop = parse_next_hop(server);
        if (!hop || hop->host.empty())
            return proposals_.by_hand(from, "no server of LMTP can be read from " + safe_for_log(next));
        const bool has_port =
            server.find(':', server.find(']') == server.npos ? 0 : server.find(']')) != server.npos;
        const bool v6 = hop->host.find(':') != hop->host.npos;
        server = (v6 ? "[" + hop->host + "]" : hop->host) + ":" + std::to_string(has_port ? hop->port : 24);
    }
    if (!is_plain(server)) return proposals_.by_hand(from, "no line can have " + safe_for_log(server));
    proposals_.line("control/lmtproutes", domain + ":" + server, from);
}

void Routes::propose_transport(const std::string& pattern, const std::string& value,
                               const std::string& from) {
    const std::size_t colon = std::min(value.find(':'), value.size());
    const std::string transport = value.substr(0, colon),
                      next = value.substr(std::min(colon + 1, value.size()));
    const std::string told = safe_for_log(pattern) + " " + safe_for_log(value);
    if (pattern != "*" && !is_domain_name(pattern))
        return proposals_.by_hand(from, told + ": routes here are of domains, not of addresses");
    const std::string domain = pattern == "*" ? "" : pattern;
    has_route_of_all_ = has_route_of_all_ || domain.empty();
    if (locals_.contains(domain))
        return proposals_.by_hand(from,
                                  told +
                                      ": the domain is in mydestination too; take it out of control/locals, "
                                      "then write the line");
    if (transport == "lmtp" && !domain.empty())
        propose_lmtp(domain, next, from);
    else if (transport == "smtp" || transport == "relay" || (transport.empty() && !next.empty()))
        propose_route(domain, next, from);
    else
        proposals_.by_hand(from, told + ": no line of control/smtproutes or lmtproutes means that");
}

void Routes::propose_transports() {
    for (const std::string& map : list_of(config_.value("transport_maps"))) {
        std::string why;
        const auto entries = config_.map(map, why);
        if (!entries) {
            proposals_.by_hand("transport_maps",
                               map + ": " + why + "; control/smtproutes has a line for each domain");
            continue;
        }
        for (const auto& [pattern, value] : *entries)
            propose_transport(pattern, value, "transport_maps " + map);
    }
    const std::string transport = config_.value("virtual_transport");
    if (transport.starts_with("lmtp:")) {
        std::vector<std::string> missed;
        for (const std::string& domain : config_.members(config_.value("virtual_mailbox_domains"), missed))
            if (is_domain_name(domain)) propose_lmtp(domain, transport.substr(5), "virtual_transport");
    } else if (!transport.empty() && transport != "virtual") {
        proposals_.by_hand("virtual_transport", safe_for_log(transport) +
                                                    " has no equivalent: a .qmail file or a server of LMTP "
                                                    "(docs/dovecot.md)");
    }
}

void Routes::propose_tls() {
    const std::string level = config_.value("smtp_tls_security_level");
    if (level == "none" || level == "encrypt")
        proposals_.line("control/tlsdestinations", ":" + level, "smtp_tls_security_level");
    else if (level == "verify" || level == "secure" || level == "dane-only")
        proposals_.line("control/tlsdestinations", ":verify", "smtp_tls_security_level");
    else if (level == "dane")
        proposals_.value("control/dane", "1", "smtp_tls_security_level");
    else if (level == "fingerprint")
        proposals_.by_hand("smtp_tls_security_level",
                           "control/tlsdestinations has fingerprints (qmail-remote(8))");
    if (level == "dane-only")
        proposals_.by_hand("smtp_tls_security_level",
                           "dane-only: DANE is asked for here where DNS has it, and no line makes it a duty. "
                           ":verify in control/tlsdestinations never sends in the clear either, but asks for "
                           "a certificate of an authority: mail waits where a server has none");
    if (any_login_)
        proposals_.by_hand("smtp_sasl_auth_enable",
                           "with a login the server's certificate is verified here, whatever "
                           "smtp_tls_security_level was (docs/smarthost.md)");
}

void Routes::propose() {
    std::vector<std::string> missed;
    for (std::string& domain : config_.members(config_.value("mydestination"), missed))
        locals_.insert(std::move(domain));
    read_passwords();
    propose_transports();
    propose_relayhost();
    propose_tls();
}

}  // namespace

void propose_routes(const PostfixConfig& config, Proposals& proposals) {
    Routes(config, proposals).propose();
}

}  // namespace relais::setup
