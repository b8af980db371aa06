#include "setup/exim_settings.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <iterator>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "base/words.h"
#include "setup/postfix_config.h"
#include "setup/postfix_settings.h"

namespace relais::setup {
namespace {

constexpr std::size_t file_limit = std::size_t{16} << 20;
constexpr const char* answers_file = "update-exim4.conf.conf";

// What Debian's Exim obeys beside the answers. conf.d and the template are always there; one of them counts.
struct UnreadFile {
    std::string_view name;
    std::string_view text;
};
constexpr UnreadFile unread_files[] = {
    {"exim4.conf.localmacros", "its macros are not read: look at what they change"},
    {"hubbed_hosts", "not read: control/smtproutes has a line DOMAIN:SERVER for each of its lines"},
    {"conf.d", "not read: dpkg --verify exim4-config names what was changed in it, and ls what was added"},
    {"exim4.conf.template", "not read: dpkg --verify exim4-config says whether it was changed"}};

void refuse_foreign_file(const std::string& path) {
    struct stat file {};
    if (::stat(path.c_str(), &file) != 0) {
        if (errno == ENOENT) return;
        throw_errno("look at", path);
    }
    if ((file.st_uid != 0 && file.st_uid != ::geteuid()) || (file.st_mode & 022) != 0)
        throw_permanent("others may write " + path + ": chown and chmod it, for settings are made from it");
}

std::string content_of(const std::string& path) {
    refuse_foreign_file(path);
    if (struct stat any{}; ::stat(path.c_str(), &any) == 0) refuse_foreign_place(path);
    return read_file(path, file_limit).value_or("");
}

std::string answer(const EximConfig& config, const std::string& name) {
    const auto found = config.answers.find(name);
    return found == config.answers.end() ? "" : found->second;
}

void propose_domains(const EximConfig& config, Proposals& proposals) {
    const auto add = [&](const std::string& name, bool local) {
        for (std::string domain : exim_list(answer(config, name))) {
            // All below a domain.
            if (!local && domain.starts_with("*.")) domain.erase(0, 1);
            if (!is_domain_name(domain)) {
                proposals.by_hand(name, safe_for_log(domain) +
                                            " is no domain: such a pattern has no line in control/rcpthosts");
                continue;
            }
            if (local) proposals.line("control/locals", domain, name);
            proposals.line("control/rcpthosts", domain, name);
        }
    };
    add("dc_other_hostnames", true);
    if (is_domain_name(config.mailname) && answer(config, "dc_eximconfig_configtype") != "satellite") {
        proposals.line("control/locals", config.mailname, "mailname");
        proposals.line("control/rcpthosts", config.mailname, "mailname");
    }
    for (const std::string& name : {config.hostname, std::string("localhost")}) {
        if (!is_domain_name(name)) continue;
        proposals.line("control/locals", name, "Debian's configuration");
        proposals.line("control/rcpthosts", name, "Debian's configuration");
    }
    add("dc_relay_domains", false);
}

void propose_clients(const EximConfig& config, bool ipv6_apart, Proposals& proposals) {
    const auto propose = [&](const std::vector<RelayRule>& rules, const std::string& from) {
        for (const RelayRule& rule : rules)
            proposals.line(rule.v6 && ipv6_apart ? "tcp.smtp6" : "tcp.smtp", rule.text, from);
    };
    std::vector<std::string> networks{"127.0.0.1", "::1"};
    propose(relay_rules(networks).rules, "Debian's configuration");
    std::ranges::move(exim_list(answer(config, "dc_relay_nets")), std::back_inserter(networks));
    const RelayRules relay = relay_rules(networks);
    propose(relay.rules, "dc_relay_nets");
    for (const std::string& network : relay.missed)
        proposals.by_hand(
            "dc_relay_nets",
            network + " is not taken: tcp.smtp has addresses, networks and =names (tcprules(1))");
    proposals.line("tcp.smtp", ":allow", "dc_relay_nets (others may not relay)");
}

void propose_smarthost(const EximConfig& config, Proposals& proposals) {
    const std::string type = answer(config, "dc_eximconfig_configtype"), path = "control/smtproutes";
    const std::string value = answer(config, "dc_smarthost");
    if (type == "local")
        proposals.by_hand("dc_eximconfig_configtype",
                          "local: Exim sends nothing to other hosts, this instance does");
    if ((type != "smarthost" && type != "satellite") || value.empty()) return;
    const auto servers = exim_list(value);
    if (servers.size() != 1)
        return proposals.by_hand("dc_smarthost", "several servers: " + path + " has one for a domain");
    // "host::port": one ":" where the list has no ";".
    std::string server = servers.front();
    if (const std::size_t at = server.find("::"); at != server.npos) server.erase(at, 1);
    const auto hop = parse_next_hop(server);
    if (!hop || hop->host.empty())
        return proposals.by_hand("dc_smarthost",
                                 safe_for_log(value) + " is no server that a line of " + path + " can have");
    std::string line = ":" + hop->host + ":" + std::to_string(hop->port);
    if (const std::string login = exim_login(config.passwd_client, hop->host); !login.empty()) {
        const std::size_t colon = login.find(':');
        const std::string user = login.substr(0, colon), password = login.substr(colon + 1);
        if (!is_plain(user) || (user + password).find('|') != std::string::npos || password.empty())
            return proposals.by_hand(
                "passwd.client", "the login for " + hop->host + " cannot be written into a line of " + path);
        line += "|" + user + "|" + password;
        proposals.by_hand("passwd.client",
                          "with a login the server's certificate is verified here (docs/smarthost.md)");
    }
    proposals.line(path, line, "dc_smarthost");
}

void propose_aliases(const EximConfig& config, Proposals& proposals) {
    if (config.aliases_path.empty()) return;
    proposals.value("control/aliases", config.aliases_path, config.aliases_path);
    proposals.by_hand(
        config.aliases_path,
        "run newaliases for the new instance; root, postmaster and mailer-daemon have .qmail files in "
        "alias/, which come before it, and so do users, who have all names that begin with theirs and a "
        "\"-\"");
}

void propose_delivery(const EximConfig& config, Proposals& proposals) {
    const std::string delivery = answer(config, "dc_localdelivery");
    if (delivery == "maildir_home")
        proposals.line("control/defaultdelivery", "./Maildir/", "dc_localdelivery");
    else
        proposals.by_hand("dc_localdelivery",
                          delivery +
                              ": Exim delivers to files of /var/mail, this instance to ./Maildir/ in homes "
                              "(control/defaultdelivery): what is in these files stays there");
    if (const std::string host = answer(config, "dc_readhost");
        answer(config, "dc_hide_mailname") == "true" && is_domain_name(host)) {
        proposals.value("control/defaulthost", host, "dc_readhost");
        proposals.by_hand("dc_readhost", "senders that say another host themselves are not rewritten");
    } else if (is_domain_name(config.mailname)) {
        proposals.value("control/defaulthost", config.mailname, "mailname");
    }
    if (is_domain_name(config.mailname)) proposals.value("control/envnoathost", config.mailname, "mailname");
    if (config.rewrites)
        proposals.by_hand(
            "email-addresses",
            "nothing here rewrites senders: MAILHOST, MAILUSER or QMAILINJECT in these users' environment "
            "(qmail-inject(8))");
    if (const std::string where = answer(config, "dc_local_interfaces"); !where.empty())
        proposals.by_hand("dc_local_interfaces",
                          safe_for_log(where) + ": control/smtplisten says where the servers listen");
}

void tell_of_the_rest(const EximConfig& config, Proposals& proposals) {
    if (answer(config, "dc_eximconfig_configtype") == "satellite")
        proposals.by_hand("dc_readhost",
                          "satellite: Exim sends the mail of this host's users to " +
                              safe_for_log(answer(config, "dc_readhost")) +
                              ", this instance delivers it here: a line ~USER/.qmail forwards a user's, "
                              "alias/.qmail-default that of names that are nobody's");
    const bool split = answer(config, "dc_use_split_config") == "true";
    for (const auto& [name, text] : unread_files)
        if (config.files.contains(std::string(name)) && name != (split ? "exim4.conf.template" : "conf.d"))
            proposals.by_hand(std::string(name), std::string(text));
}

}  // namespace

std::map<std::string, std::string> parse_exim_answers(std::string_view text) {
    std::map<std::string, std::string> all;
    for (std::string_view line : split(text, '\n')) {
        line = trim(line);
        const std::size_t equals = line.find('=');
        if (line.starts_with('#') || equals == line.npos || equals == 0) continue;
        std::string_view value = line.substr(equals + 1);
        if (value.size() >= 2 && (value.front() == '\'' || value.front() == '"') &&
            value.back() == value.front())
            value = value.substr(1, value.size() - 2);
        all.insert_or_assign(std::string(line.substr(0, equals)), std::string(value));
    }
    return all;
}

std::vector<std::string> exim_list(std::string_view value) {
    std::vector<std::string> all;
    const bool semicolons = value.find(';') != value.npos;
    std::string word;
    const auto end = [&] {
        if (const std::string_view words = trim(word); !words.empty()) all.emplace_back(words);
        word.clear();
    };
    for (std::size_t i = 0; i < value.size(); ++i) {
        if (value.substr(i, 2) == "::" && !semicolons) {
            word += ':';
            ++i;
        } else if (value[i] == (semicolons ? ';' : ':')) {
            end();
        } else {
            word += value[i];
        }
    }
    end();
    return all;
}

std::string exim_login(std::string_view passwd_client, const std::string& host) {
    for (const std::string_view text : split(passwd_client, '\n')) {
        const std::string_view line = trim(text);
        const std::size_t colon = line.find(':');
        if (line.starts_with('#') || colon == line.npos || line.find(':', colon + 1) == line.npos) continue;
        if (matches_pattern(line.substr(0, colon), host)) return std::string(line.substr(colon + 1));
    }
    return "";
}

EximConfig read_exim_config(const std::string& given) {
    const std::string directory = std::filesystem::canonical(given),
                      beside = std::filesystem::path(directory).parent_path();
    refuse_foreign_file(directory);
    refuse_foreign_place(directory);
    EximConfig config;
    struct stat any {};
    config.own_file = ::stat((directory + "/exim4.conf").c_str(), &any) == 0;
    const std::string path = directory + "/" + answers_file;
    const std::string answers = content_of(path);
    if (answers.empty() && !config.own_file)
        throw_permanent(path + " is missing or empty: this is not Debian's Exim");
    config.answers = parse_exim_answers(answers);
    config.mailname = std::string(trim(content_of(beside + "/mailname")));
    config.passwd_client = content_of(directory + "/passwd.client");
    const std::string aliases = std::filesystem::weakly_canonical(beside + "/aliases");
    if (::stat(aliases.c_str(), &any) == 0) config.aliases_path = aliases;
    const std::string senders = content_of(beside + "/email-addresses");
    for (const auto& [name, text] : unread_files)
        if (::stat((directory + "/" + std::string(name)).c_str(), &any) == 0) config.files.emplace(name);
    config.rewrites = std::ranges::any_of(split(senders, '\n'), [](std::string_view line) {
        return !trim(line).empty() && !trim(line).starts_with('#');
    });
    return config;
}

void propose_exim(const EximConfig& config, bool ipv6_apart, Proposals& proposals) {
    if (config.own_file)
        return proposals.unknown(
            "exim4.conf", "a configuration of its own: write control files by hand; the queue is taken");
    propose_domains(config, proposals);
    propose_clients(config, ipv6_apart, proposals);
    propose_smarthost(config, proposals);
    propose_aliases(config, proposals);
    propose_delivery(config, proposals);
    tell_of_the_rest(config, proposals);
}

std::vector<OldSetting> exim_settings(EximConfig config, const Plan& plan) {
    config.hostname = plan.me;
    Proposals proposals("Exim");
    propose_exim(config, has_ipv6_rules(plan), proposals);
    return proposals.take(plan);
}

}  // namespace relais::setup
