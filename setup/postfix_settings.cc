#include "setup/postfix_settings.h"

#include <pwd.h>
#include <sys/stat.h>

#include <algorithm>
#include <iterator>

#include "base/error.h"
#include "base/text.h"

namespace relais::setup {
namespace {

std::string joined(const std::vector<std::string>& words) {
    std::string text;
    for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
    return text;
}

// A server that strangers reach: of port 25, or what stands behind a postscreen. "NAME/TYPE".
bool is_public_service(std::string_view service) {
    const std::string_view name = service.substr(0, service.find('/'));
    const std::string_view port = name.substr(name.rfind(':') + 1);
    return port == "smtp" || port == "25" || service == "smtpd/pass";
}

// Who gets mail here: not root, and somebody whose home is his.
bool gets_mail(const std::string& name) {
    struct stat home {};
    const struct passwd* user = ::getpwnam(lower(name).c_str());
    return user != nullptr && user->pw_uid != 0 && ::stat(user->pw_dir, &home) == 0 &&
           home.st_uid == user->pw_uid;
}

// Whether a word of a list of restrictions refuses clients of mynetworks, or may, if it comes first.
bool may_refuse_clients(const PostfixConfig& config, const std::string& word) {
    constexpr std::string_view all[] = {"reject",
                                        "defer",
                                        "defer_if_permit",
                                        "reject_unauth_destination",
                                        "defer_unauth_destination",
                                        "check_ccert_access",
                                        "check_sasl_access"};
    const auto classes = list_of(config.value("smtpd_restriction_classes"));
    return std::ranges::find(all, word) != std::ranges::end(all) || word.starts_with("check_client_") ||
           word.starts_with("check_reverse_client_") ||
           std::ranges::any_of(classes,
                               [&](const std::string& each) { return equal_ignoring_case(each, word); });
}

// Why clients are not given by mynetworks what tcp.smtp would give them; "" if they are.
std::string why_networks_do_not_relay(const PostfixConfig& config) {
    bool permitted = false;
    for (const std::string name : {"smtpd_relay_restrictions", "smtpd_recipient_restrictions"}) {
        for (const std::string& given : list_of(config.value(name))) {
            const std::string word = lower(given);
            if (word == "permit_mynetworks") permitted = true;
            if (word == "permit_mynetworks" || word == "permit") break;
            if (may_refuse_clients(config, word))
                return name + " has " + safe_for_log(given) + " and no permit_mynetworks before it";
        }
    }
    if (!permitted) return "no list of restrictions has permit_mynetworks";
    for (const auto& [service, name] : config.overrides())
        if (is_public_service(service) && name != "smtpd_client_restrictions")
            return "master.cf says " + name + " for " + safe_for_log(service);
    return "";
}

void tell_of_overrides(const PostfixConfig& config, Proposals& proposals) {
    if (const std::string& trouble = config.overrides_trouble(); !trouble.empty())
        proposals.by_hand("master.cf",
                          "not read, so look for -o mynetworks and -o smtpd_*_restrictions in it: " +
                              safe_for_log(trouble));
    for (const auto& [service, name] : config.overrides())
        proposals.by_hand("master.cf " + safe_for_log(service) + " " + name,
                          "said of that server alone: tcp.smtp counts for all servers of port 25, and logins "
                          "are asked for on 587 and 465 (docs/users.md)");
}

// Settings of one value, if main.cf says them.
void propose_values(const PostfixConfig& config, Proposals& proposals) {
    proposals.by_hand("myhostname", config.value("myhostname") +
                                        ": control/me has the instance's own name (qmail-setup --me)");
    if (const std::string origin = config.origin(); is_domain_name(origin)) {
        proposals.value("control/defaulthost", origin, "myorigin");
        proposals.value("control/envnoathost", origin, "myorigin");
    }
    if (is_domain_name(config.value("mydomain")))
        proposals.value("control/defaultdomain", config.value("mydomain"), "mydomain");
    if (const auto size = parse_number(config.value("message_size_limit")))
        proposals.value("control/databytes", std::to_string(*size), "message_size_limit");
    if (const auto span = parse_span(config.value("maximal_queue_lifetime"), 'd'); span && *span != 0)
        proposals.value("control/queuelifetime", std::to_string(*span), "maximal_queue_lifetime");
    if (const auto span = parse_span(config.value("delay_warning_time"), 'h');
        config.says("delay_warning_time") && span)
        proposals.value("control/delaywarning", std::to_string(*span), "delay_warning_time");
    if (const auto most = parse_number(config.value("smtpd_recipient_limit")); most && *most != 0)
        proposals.value("control/maxrcpt", std::to_string(*most), "smtpd_recipient_limit");
    if (is_domain_name(config.value("smtp_helo_name")))
        proposals.value("control/helohost", config.value("smtp_helo_name"), "smtp_helo_name");
    for (const char* name : {"smtp_bind_address", "smtp_bind_address6"})
        if (config.says(name) && is_plain(config.value(name)))
            proposals.line("control/outgoingip", config.value(name), name);
}

void propose_delivery(const PostfixConfig& config, Proposals& proposals) {
    const std::string mailbox = config.value("home_mailbox");
    if (config.says("mailbox_command") && !config.value("mailbox_command").empty())
        proposals.by_hand("mailbox_command", "a line |preline " + config.value("mailbox_command") +
                                                 " in control/defaultdelivery is what comes nearest");
    else if (is_plain(mailbox) && !mailbox.starts_with('/'))
        proposals.line("control/defaultdelivery", "./" + mailbox, "home_mailbox");
    else
        proposals.by_hand("home_mailbox",
                          "Postfix delivers to files of /var/mail, this instance to ./Maildir/ in homes "
                          "(control/defaultdelivery): what is in these files stays there");
    const std::string delimiter = config.value("recipient_delimiter");
    if (!delimiter.empty() && delimiter != "-")
        proposals.by_hand("recipient_delimiter",
                          "addresses here are extended by -, so user" + delimiter.substr(0, 1) +
                              "word is not user's any more; for each who needs it: users/assign");
}

// Names, or their beginnings if they end in "*", and what to do about them.
struct Advice {
    std::string_view names;
    std::string_view text;
};
constexpr Advice advice[] = {
    {"canonical_maps",
     "nothing here rewrites addresses in messages: let the sending programs say the right ones"},
    {"sender_canonical_maps",
     "nothing here rewrites addresses in messages: let the sending programs say the right ones"},
    {"recipient_canonical_maps",
     "nothing here rewrites addresses in messages: a .qmail file forwards instead"},
    {"masquerade_domains",
     "nothing here rewrites addresses in messages: control/defaulthost completes those without a host"},
    {"smtp_generic_maps",
     "nothing here rewrites addresses in messages: let the sending programs say the right ones"},
    {"relocated_maps", "a .qmail file with |bouncesaying says where somebody has gone (bouncesaying(1))"},
    {"smtpd_tls_*",
     "certificates: docs/certificates.md; ciphers and versions: control/tlsserverciphers, tlsminversion"},
    {"smtpd_use_tls", "certificates: docs/certificates.md"},
    {"smtpd_sasl_*", "logins: docs/users.md; Dovecot's: its socket's path in control/authdovecot"},
    {"broken_sasl_auth_clients", "not needed: clients that old find AUTH= too"},
    {"smtpd_*_restrictions",
     "who may relay is in tcp.smtp; lists, SPF and greylisting: docs/public-server.md, qmail-checks(5)"},
    {"smtpd_milters", "control/milters has milters, as inet:PORT@HOST or unix:PATH (docs/filters.md)"},
    {"non_smtpd_milters", "milters see mail from the network alone (docs/filters.md)"},
    {"milter_*", "words behind a line of control/milters (docs/filters.md)"},
    {"content_filter", "QMAILQUEUE or a milter: docs/filters.md"},
    {"header_checks", "a filter or a milter: docs/filters.md"},
    {"mime_header_checks", "a filter or a milter: docs/filters.md"},
    {"body_checks", "a filter or a milter: docs/filters.md"},
    {"mailbox_transport", "control/lmtproutes gives domains to a server of LMTP (docs/dovecot.md)"},
    {"local_transport", "control/lmtproutes gives domains to a server of LMTP (docs/dovecot.md)"},
    {"luser_relay", "alias/.qmail-default gets the mail of names that are nobody's"},
    {"local_recipient_maps", "control/recipientcheck refuses recipients without a mailbox"},
    {"relay_recipient_maps", "control/validrcptto.cdb has the recipients that other servers know"},
    {"always_bcc", "a filter can do that: docs/filters.md"},
    {"sender_bcc_maps", "a filter can do that: docs/filters.md"},
    {"recipient_bcc_maps", "a .qmail file can do that, with a line more"},
    {"inet_interfaces", "control/smtplisten says where the servers listen, and qmail-setup --listen"},
    {"inet_protocols", "control/ipversions says it for connections to other servers"},
    {"smtpd_banner", "control/smtpgreeting"},
    {"default_destination_concurrency_limit", "control/destinationlimits, concurrencyremote"},
    {"default_process_limit", "control/concurrencyincoming, concurrencylocal, concurrencyremote"},
    {"smtpd_client_*", "control/perip and ratelimits"},
    {"smtpd_helo_required", "not needed: a session without HELO gets no recipient"},
    {"disable_vrfy_command", "not needed: VRFY tells nothing here"},
    {"smtp_tls_policy_maps", "control/tlsdestinations has a line for each destination (qmail-remote(8))"},
    {"sender_dependent_relayhost_maps", "control/authsenders: sender:host:port|user|password"},
    {"address_verify_*", "control/recipientcheck, validrcptto.cdb"},
    {"minimal_backoff_time", "tries have a schedule of their own: qmail-send(8)"},
    {"maximal_backoff_time", "tries have a schedule of their own: qmail-send(8)"},
    {"bounce_queue_lifetime", "bounces live as long as other mail: control/queuelifetime"},
    {"notify_classes", "control/doublebounceto says who hears of bounces that bounce"},
};

// Where files are, who runs what, and what is the same here.
constexpr std::string_view without_meaning[] = {
    "alias_database", "append_dot_mydomain", "biff", "command_directory", "config_directory",
    "compatibility_level", "daemon_directory", "data_directory", "debug_peer_level", "debugger_command",
    "default_privs", "html_directory", "export_environment", "import_environment", "mail_owner",
    "mailbox_size_limit", "mailq_path", "maillog_file", "maillog_file_prefixes", "manpage_directory",
    "meta_directory", "mydomain", "mynetworks_style", "newaliases_path", "queue_directory",
    "readme_directory", "sample_directory", "sendmail_path", "setgid_group", "shlib_directory",
    "smtp_tls_CAfile", "smtp_tls_CApath", "smtp_tls_loglevel", "smtp_tls_session_cache_database",
    "smtp_use_tls", "unknown_local_recipient_reject_code",
    // What the rest of this file and its neighbours look at.
    "alias_maps", "delay_warning_time", "home_mailbox", "mailbox_command", "maximal_queue_lifetime",
    "message_size_limit", "mydestination", "myhostname", "mynetworks", "myorigin", "recipient_delimiter",
    "relay_domains", "relayhost", "smtp_bind_address", "smtp_bind_address6", "smtp_helo_name",
    "smtp_sasl_auth_enable", "smtp_sasl_mechanism_filter", "smtp_sasl_password_maps",
    "smtp_sasl_security_options", "smtp_sasl_tls_security_options", "smtp_tls_security_level",
    "smtp_tls_wrappermode", "smtpd_recipient_limit", "transport_maps", "virtual_alias_domains",
    "virtual_alias_maps", "virtual_gid_maps", "virtual_mailbox_base", "virtual_mailbox_domains",
    "virtual_mailbox_maps", "virtual_transport", "virtual_uid_maps"};

void tell_of_the_rest(const PostfixConfig& config, Proposals& proposals) {
    for (const auto& [name, value] : config.told()) {
        if (value.empty() || std::ranges::find(without_meaning, name) != std::ranges::end(without_meaning))
            continue;
        const auto* found = std::ranges::find_if(advice, [&name = name](const Advice& each) {
            const std::size_t star = each.names.find('*');
            if (star == each.names.npos) return each.names == name;
            return name.starts_with(each.names.substr(0, star)) &&
                   name.ends_with(each.names.substr(star + 1));
        });
        if (found != std::ranges::end(advice))
            proposals.by_hand(name, std::string(found->text));
        else
            proposals.unknown(name, "nothing here has that meaning; it says: " + safe_for_log(value));
    }
}

}  // namespace

void propose_domains(const PostfixConfig& config, Proposals& proposals) {
    const auto add = [&](const std::string& name, bool local, bool below) {
        std::vector<std::string> missed;
        const auto domains = name.starts_with("virtual_") ? virtual_domains(config, name, missed)
                                                          : config.members(config.value(name), missed);
        for (const std::string& domain : domains) {
            if (domain.find('@') != domain.npos) continue;  // an entry of a map of addresses
            if (!is_domain_name(domain)) {
                missed.push_back(safe_for_log(domain));
                continue;
            }
            if (local) proposals.line("control/locals", domain, name);
            proposals.line("control/rcpthosts", domain, name);
            if (below && !domain.starts_with('.')) proposals.line("control/rcpthosts", "." + domain, name);
        }
        if (!missed.empty())
            proposals.by_hand(name, "not taken: " + joined(missed) +
                                        "; write such domains into control/rcpthosts" +
                                        (local ? " and control/locals" : ""));
    };
    add("mydestination", true, false);
    add("relay_domains", false, true);
    add("virtual_alias_domains", false, false);
    add("virtual_mailbox_domains", false, false);
    if (!proposals.has("control/locals")) {
        // Without the file it would be control/me.
        proposals.value("control/locals", "# Postfix: mydestination has no domain", "mydestination");
        if (!proposals.has("control/rcpthosts"))
            proposals.value("control/rcpthosts", "# Postfix: no domain is taken from everybody",
                            "mydestination");
    }
}

void propose_clients(const PostfixConfig& config, bool ipv6_apart, Proposals& proposals) {
    if (const std::string why = why_networks_do_not_relay(config); !why.empty())
        return proposals.by_hand(
            "mynetworks",
            why + ": no network is taken; write those that may relay into tcp.smtp (tcprules(1))");
    std::vector<std::string> missed;
    RelayRules relay = relay_rules(config.networks(missed));
    for (const RelayRule& rule : relay.rules)
        proposals.line(rule.v6 && ipv6_apart ? "tcp.smtp6" : "tcp.smtp", rule.text, "mynetworks");
    proposals.line("tcp.smtp", ":allow", "mynetworks");
    std::ranges::move(relay.missed, std::back_inserter(missed));
    if (!missed.empty())
        proposals.by_hand("mynetworks",
                          "not taken: " + joined(missed) + "; tcp.smtp has a line for each (tcprules(1))");
}

std::vector<OldSetting> postfix_settings(const PostfixConfig& config, const Plan& plan) {
    Proposals proposals("Postfix");
    propose_domains(config, proposals);
    propose_clients(config, has_ipv6_rules(plan), proposals);
    propose_routes(config, proposals);
    propose_addresses(config, gets_mail, proposals, plan.identity.single ? "alias-" : "");
    propose_values(config, proposals);
    propose_delivery(config, proposals);
    tell_of_overrides(config, proposals);
    tell_of_the_rest(config, proposals);
    return proposals.take(plan);
}

}  // namespace relais::setup
