#include "explain/present.h"

#include <fmt/core.h>

#include "explain/plain.h"

namespace relais::explain {
namespace {

using policy::Reason;

// A step: its name in a column of its own.
std::string line(std::string_view name, std::string_view text) {
    return fmt::format("{:<11}{}\n", name, text);
}

std::string who(const std::string& user) {
    return user.empty() ? "somebody" : plain(user);
}

std::string rule_place(const Explanation& explanation) {
    const RuleMatch& rule = explanation.rule;
    if (explanation.listener.relays_all && !rule.variable("RELAYCLIENT"))
        return "the run script of " + explanation.listener.name;
    if (rule.line != nullptr) return fmt::format("{} line {}", rule.line->file, rule.line->number);
    return rule.text();
}

// What gave the right to send anywhere.
std::string right_words(const Explanation& explanation, Reason right) {
    switch (right) {
        case Reason::client_rule:
            return fmt::format("{} sets RELAYCLIENT", rule_place(explanation));
        case Reason::certificate:
            return fmt::format("{} shows a certificate that tlsclients lists",
                               who(*explanation.client.certificate));
        case Reason::authenticated:
            return fmt::format("{} has authenticated", who(*explanation.client.user));
        default:
            return fmt::format("{} logged in from there {} ago", who(explanation.login.entry->user),
                               opensmtp::span_text(explanation.login_age.value_or(0)));
    }
}

std::string no_right_words(const Explanation& explanation) {
    const opensmtp::OpenSmtpFinding& login = explanation.login;
    const std::string rule = "no rule lets it relay";
    if (login.excluded) return rule + ", logins from there open nothing";
    if (!login.entry) return rule + ", nobody has logged in from there";
    if (!explanation.login_age) return rule + ", the login from there is of a time to come";
    return fmt::format("{}, the login from there expired {} ago", rule,
                       opensmtp::span_text(*explanation.login_age - explanation.lifetime));
}

std::string domain_place(const Outcome& outcome) {
    const std::string entry = plain(outcome.domain.detail);
    switch (outcome.domain.reason) {
        case Reason::no_domain:
            return "no domain: the recipient is local";
        case Reason::rcpthosts:
            return fmt::format("{} is in {}", entry,
                               outcome.place ? outcome.place->text() : "control/rcpthosts");
        case Reason::morercpthosts:
            return fmt::format("{} is in control/morercpthosts.cdb{}", entry,
                               outcome.place ? fmt::format(" ({})", outcome.place->text()) : "");
        default:
            return fmt::format("{} is neither in control/rcpthosts nor in control/morercpthosts.cdb", entry);
    }
}

// Where a check without a line of its own is said to refuse.
std::string check_file(const Outcome& outcome) {
    return fmt::format("{} in control/checks", outcome.verdict.check);
}

std::string refusal_words(const Explanation& explanation, const Outcome& outcome) {
    switch (outcome.verdict.cause) {
        case policy::Cause::bad_sender:
            return fmt::format(
                "the sender {} is refused by {}", plain(explanation.question.sender),
                explanation.bad_sender_place ? explanation.bad_sender_place->text() : "control/badmailfrom");
        case policy::Cause::check:
            return fmt::format("{} ({})", plain(outcome.verdict.why),
                               outcome.rule ? outcome.rule->text() : check_file(outcome));
        case policy::Cause::local_sender:
            return fmt::format("the sender {} is ours, and who uses it must log in (control/localsenders)",
                               plain(explanation.question.sender));
        case policy::Cause::foreign_login:
            return fmt::format("this login may not use the sender {} (control/senderlogins)",
                               plain(explanation.question.sender));
        case policy::Cause::no_right:
            return no_right_words(explanation) +
                   fmt::format(", and {} is not a domain we accept mail for", plain(outcome.domain.detail));
        case policy::Cause::too_long:
            return "the address is too long";
        case policy::Cause::unknown:
            return fmt::format("nobody here gets mail for {} (control/recipientcheck)",
                               plain(outcome.verdict.recipient));
        case policy::Cause::cannot_tell:
            return "qmail-rcptd does not tell whether anybody here gets mail for it (control/recipientcheck)";
        default:
            return "the server says " + plain(outcome.exchange.reply);
    }
}

std::string allow_words(const Explanation& explanation, const Outcome& outcome) {
    if (const auto right = explanation.right()) return right_words(explanation, *right);
    if (outcome.domain.reason == Reason::no_domain) return "a recipient without a domain is local";
    return domain_place(outcome);
}

std::string rule_step(const Explanation& explanation) {
    const RulesOfServer& rules = explanation.rules;
    if (rules.path.empty()) return "the server has no rules: everybody may connect";
    if (!rules.trouble.empty()) return rules.trouble;
    const RuleMatch& rule = explanation.rule;
    std::string text = rule.text();
    if (rule.key && rule.key->empty()) text += " (everybody else)";
    if (!rule.allow) return text + ": may not connect";
    return text + ": may connect, sets " + variables_text(rule.variables);
}

std::string login_step(const Explanation& explanation) {
    const opensmtp::OpenSmtpFinding& login = explanation.login;
    if (!login.entry) return "no entry: nobody has logged in from there";
    std::string text =
        fmt::format("{} ({})", login_words(*login.entry, explanation.login_age), plain(login.source));
    if (login.excluded) return text + ": excluded by control/opensmtpexclude " + plain(*login.excluded);
    if (!login.live) return text + (explanation.login_age ? ": expired, does not count" : ": does not count");
    return text + fmt::format(": counts for another {}",
                              opensmtp::span_text(explanation.lifetime - explanation.login_age.value_or(0)));
}

std::string sender_step(const Explanation& explanation) {
    const std::string sender = "<" + plain(explanation.question.sender) + ">";
    if (explanation.bad_sender)
        return fmt::format(
            "{} is in {}", sender,
            explanation.bad_sender_place ? explanation.bad_sender_place->text() : "control/badmailfrom");
    switch (explanation.suspicion) {
        case policy::LocalSenders::enforce:
            return sender + " is ours, used by an outsider: refused (control/localsenders is enforce)";
        case policy::LocalSenders::warn:
            return sender + " is ours, used by an outsider: logged (control/localsenders is warn)";
        default:
            return sender + " is not in control/badmailfrom";
    }
}

std::string size_step(const Explanation& explanation) {
    const std::uint64_t limit = explanation.client.databytes.value_or(explanation.settings.databytes);
    const std::string source = explanation.client.databytes ? "DATABYTES of the rule" : "control/databytes";
    return limit == 0 ? "no limit (" + source + ")" : fmt::format("{} octets at most ({})", limit, source);
}

std::string client_steps(const Explanation& explanation) {
    std::string text =
        line("server", explanation.listener.text() +
                           (explanation.rules.path.empty() ? "" : "; rules " + explanation.rules.path));
    text += line("rule", rule_step(explanation));
    if (!explanation.turned_away.empty()) return text + line("reply", explanation.turned_away);
    if (!explanation.trouble.empty())
        return text + line("trouble", explanation.trouble) +
               line("reply", "421 unable to read controls (#4.3.0)");
    text += line("sender", sender_step(explanation));
    text += line("login", explanation.client.user ? "authenticated as " + plain(*explanation.client.user)
                                                  : "not authenticated");
    text += line("open-smtp", login_step(explanation));
    text += line("size", size_step(explanation));
    if (!explanation.mail.reply.starts_with("250"))
        text += line("reply", fmt::format("{}  (to {})", plain(explanation.mail.reply),
                                          plain(explanation.mail.command)));
    return text;
}

std::string recipient_steps(const Outcome& outcome) {
    const std::string& suspicion = outcome.verdict.suspicion;
    return line("recipient", domain_place(outcome)) +
           (suspicion.empty() ? "" : line("suspect", plain(suspicion))) +
           line("reply",
                fmt::format("{}  (to {})", plain(outcome.exchange.reply), plain(outcome.exchange.command)));
}

}  // namespace

std::string headline(const Explanation& explanation, const Outcome& outcome) {
    const std::string& ip = explanation.question.ip;
    if (explanation.sample()) {
        if (outcome.accepted())
            return fmt::format("MAY RELAY: {} may send anywhere: {}", ip, allow_words(explanation, outcome));
        if (outcome.verdict.cause != policy::Cause::no_right)
            return fmt::format("REFUSED: {}: {}", ip, refusal_words(explanation, outcome));
        return fmt::format("MAY NOT RELAY: {} may send only to the domains of control/rcpthosts: {}", ip,
                           no_right_words(explanation));
    }
    const std::string recipient = plain(outcome.recipient);
    if (outcome.accepted())
        return fmt::format("ALLOWED: {} may send to {}: {}", ip, recipient,
                           allow_words(explanation, outcome));
    return fmt::format("REFUSED: {} may not send to {}: {}", ip, recipient,
                       refusal_words(explanation, outcome));
}

std::string headline_of_trouble(const Explanation& explanation) {
    const std::string& ip = explanation.question.ip;
    if (!explanation.rules.trouble.empty())
        return fmt::format("REFUSED: {} cannot connect, nor can anybody: {}", ip, explanation.rules.trouble);
    if (!explanation.turned_away.empty())
        return fmt::format("REFUSED: {} may not connect: {} denies it", ip, rule_place(explanation));
    return fmt::format("REFUSED: {} is put off, as is everybody: {}", ip, explanation.trouble);
}

std::string to_text(const Explanation& explanation) {
    const bool served = explanation.turned_away.empty() && explanation.trouble.empty();
    std::string text;
    if (!served) text += headline_of_trouble(explanation) + "\n";
    if (served)
        for (const Outcome& outcome : explanation.outcomes) text += headline(explanation, outcome) + "\n";
    text += "\n" + client_steps(explanation);
    if (served)
        for (const Outcome& outcome : explanation.outcomes) text += recipient_steps(outcome);
    if (!explanation.close_calls.empty()) text += "\n";
    for (const std::string& call : explanation.close_calls) text += line("note", plain(call));
    if (!explanation.remedies.empty()) text += "\n";
    for (const std::string& remedy : explanation.remedies) text += line("to do", plain(remedy));
    return text;
}

}  // namespace relais::explain
