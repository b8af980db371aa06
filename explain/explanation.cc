#include "explain/explanation.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "control/control_file.h"
#include "explain/plain.h"
#include "mail/address.h"
#include "net/own_addresses.h"
#include "net/resolver_protocol.h"
#include "net/socket.h"
#include "smtpd/listener.h"

namespace relais::explain {
namespace {

constexpr std::size_t control_limit = std::size_t{16} << 20;
// Nobody's domain (RFC 2606): stands for every foreign recipient.
constexpr std::string_view foreign_recipient = "someone@elsewhere.invalid";

// The address of this host that the client speaks to. Where it may be any of them, one that a recipient names
// (user@[192.0.2.1]), for only then does it matter.
std::optional<std::string> local_address(const Explanation& explanation) {
    if (explanation.listener.address.size() > 1) return explanation.listener.address;
    const auto own = net::own_addresses(net::Loopback::with);
    for (const std::string& recipient : explanation.question.recipients) {
        const auto literal = mail::address_literal(mail::split_address(recipient).domain);
        const auto address = literal ? net::canonical_address(*literal) : std::nullopt;
        if (address && std::find(own.begin(), own.end(), *address) != own.end()) return address;
    }
    return std::nullopt;
}

policy::Client client_of(const Explanation& explanation) {
    const Question& question = explanation.question;
    policy::Client client = policy::Client::from([&](const std::string& name) -> std::optional<std::string> {
        if (name == "TCPREMOTEIP") return question.ip;
        if (name == "TCPREMOTEHOST") return question.host;
        if (name == "TCPLOCALIP") return local_address(explanation);
        if (const auto value = explanation.rule.variable(name)) return value;
        if (name == "RELAYCLIENT" && explanation.listener.relays_all) return "";
        if (name == "SUBMISSION" && explanation.listener.submission) return "1";
        return std::nullopt;
    });
    client.user = question.user;
    return client;
}

// What the client gets in place of a greeting.
std::string turned_away(const Explanation& explanation) {
    const bool tcpserver = explanation.listener.tcpserver;
    if (!explanation.rules.trouble.empty())
        return tcpserver ? "(the connection is closed without a word)" : std::string(smtpd::our_trouble);
    if (!explanation.rule.allow)
        return tcpserver ? "(the connection is closed without a word)" : std::string(smtpd::denied);
    return "";
}

// Where else mail for the domain is said to stay here.
std::optional<std::string> ours(const control::Home& home, std::string_view domain) {
    if (domain.empty()) return std::nullopt;
    if (const auto place = find_line(home, "locals", domain)) return place->text();
    const auto content = read_file(home.control_file("virtualdomains"), control_limit);
    if (!content) return std::nullopt;
    std::size_t number = 0;
    for (const std::string_view line : split(*content, '\n')) {
        ++number;
        if (starts_ignoring_case(line, std::string(domain) + ":") && line.size() > domain.size() + 1)
            return Place{"control/virtualdomains", number}.text();
    }
    return std::nullopt;
}

Outcome judge_recipient(const control::Home& home, Explanation& explanation, policy::Policy& policy,
                        policy::Chain& chain, const std::string& recipient) {
    Outcome outcome;
    outcome.recipient = recipient;
    outcome.verdict = chain.judge(recipient);
    outcome.rule = find_line(home, std::string(outcome.verdict.check), outcome.verdict.entry);
    outcome.domain = policy.match_domain(policy.with_local_name(recipient, explanation.client));
    if (outcome.domain.reason == policy::Reason::rcpthosts)
        outcome.place = find_line(home, "rcpthosts", outcome.domain.detail);
    else if (outcome.domain.reason == policy::Reason::morercpthosts)
        outcome.place = find_line(home, "morercpthosts", outcome.domain.detail);
    else if (outcome.domain.reason == policy::Reason::foreign_domain)
        outcome.ours = ours(home, outcome.domain.detail);
    return outcome;
}

void look_at_sender(const control::Home& home, Explanation& explanation, policy::Policy& policy) {
    const std::string& sender = explanation.question.sender;
    if (const auto entry = policy.bad_names().senders().match_address(sender)) {
        explanation.bad_sender = true;
        explanation.bad_sender_place = find_line(home, "badmailfrom", *entry);
    }
    explanation.suspicion = policy.suspects(explanation.client, sender);
}

void look_at_login(const control::Home& home, Explanation& explanation, policy::Policy& policy) {
    explanation.lifetime = opensmtp::OpenSmtpSettings::read(home).lifetime;
    explanation.login = policy.find_open_smtp(explanation.client);
    if (explanation.login.entry)
        explanation.login_age = opensmtp::age(*explanation.login.entry, opensmtp::Moment::now());
}

// Asks everything that qmail-smtpd asks, and rehearses the session itself for the replies.
void ask_server(const control::Home& home, Explanation& explanation) {
    explanation.settings = smtpd::Settings::read(home);
    policy::Policy policy(home);
    look_at_login(home, explanation, policy);
    look_at_sender(home, explanation, policy);
    std::vector<std::string> recipients = explanation.question.recipients;
    if (recipients.empty()) recipients.emplace_back(foreign_recipient);
    net::Resolver resolver(home);
    authres::ResolverDns dns(resolver);
    policy::Chain chain(policy, explanation.settings, explanation.client, &dns);
    chain.rehearse();
    chain.heard_helo(explanation.question.helo);
    chain.heard_mail(explanation.question.sender);
    for (const std::string& recipient : recipients)
        explanation.outcomes.push_back(judge_recipient(home, explanation, policy, chain, recipient));
    Rehearsal rehearsal = rehearse(explanation.client, explanation.settings, policy, dns,
                                   explanation.question.helo, explanation.question.sender, recipients);
    explanation.mail = std::move(rehearsal.mail);
    for (std::size_t i = 0; i < recipients.size(); ++i) {
        Outcome& outcome = explanation.outcomes[i];
        outcome.exchange = std::move(rehearsal.recipients[i]);
        // The dialogue ended before any of that was asked: a syntax error, too many recipients.
        if (outcome.exchange.reply != outcome.verdict.reply) outcome.verdict.cause = policy::Cause::none;
    }
}

}  // namespace

std::optional<Place> find_line(const control::Home& home, const std::string& name, std::string_view wanted) {
    if (wanted.empty()) return std::nullopt;
    const auto content = read_file(home.control_file(name), control_limit);
    if (!content) return std::nullopt;
    std::size_t number = 0;
    for (std::string_view line : split(*content, '\n')) {
        ++number;
        while (!line.empty() && (line.back() == ' ' || line.back() == '\t')) line.remove_suffix(1);
        if (equal_ignoring_case(line, wanted)) return Place{"control/" + name, number};
    }
    return std::nullopt;
}

std::string login_words(const opensmtp::Entry& entry, std::optional<std::int64_t> age) {
    return fmt::format("{} over {}, {}", entry.user.empty() ? "somebody" : plain(entry.user),
                       plain(entry.service),
                       age ? opensmtp::span_text(*age) + " ago" : "at a time that the clock has not reached");
}

std::optional<policy::Reason> Explanation::right() const {
    policy::Inputs inputs;
    inputs.relayclient = client.relayclient;
    inputs.user = client.user;
    inputs.open_smtp = &login;
    return policy::right_to_relay(inputs);
}

bool Explanation::all_accepted() const {
    return turned_away.empty() && trouble.empty() &&
           std::all_of(outcomes.begin(), outcomes.end(), [](const Outcome& each) { return each.accepted(); });
}

Explanation explain(const control::Home& home, const Question& question) {
    Explanation explanation;
    explanation.question = question;
    const bool ipv6 = question.ip.find(':') != std::string::npos;
    explanation.listener = choose_listener(find_listeners(home), question.listener, ipv6);
    explanation.rules = RulesOfServer::read(explanation.listener);
    try {
        explanation.rule = match(explanation.rules, {question.ip, question.host, std::nullopt});
    } catch (const Error& error) {
        explanation.rules.trouble = explanation.rules.path + " is damaged: " + error.what();
        explanation.rules.cdb.reset();
    }
    explanation.client = client_of(explanation);
    const auto own = net::own_addresses(net::Loopback::with);
    explanation.own_address = std::find(own.begin(), own.end(), question.ip) != own.end();
    explanation.turned_away = turned_away(explanation);
    try {
        if (explanation.turned_away.empty()) ask_server(home, explanation);
    } catch (const Error& error) {
        explanation.trouble = error.what();
        explanation.outcomes.clear();
    }
    explanation.close_calls = find_close_calls(home, explanation);
    explanation.remedies = find_remedies(home, explanation);
    return explanation;
}

}  // namespace relais::explain
