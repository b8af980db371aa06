// Close calls: what nearly decided otherwise. Each is one sentence.
#include <fmt/core.h>

#include <algorithm>

#include "base/deadline.h"
#include "base/error.h"
#include "base/text.h"
#include "control/control_file.h"
#include "explain/explanation.h"
#include "explain/plain.h"
#include "mail/address.h"
#include "opensmtp/address.h"
#include "opensmtp/store.h"

namespace relais::explain {
namespace {

// An expired login is worth a word for that many seconds.
constexpr std::int64_t recent = 2 * 86400;
// Logins named at most.
constexpr std::size_t logins_named = 3;

bool is_ipv6(std::string_view address) {
    return address.find(':') != std::string_view::npos;
}

std::string by(const std::string& user) {
    return user.empty() ? "somebody" : plain(user);
}

bool gives_relay(const tcprules::Decision& decision) {
    return decision.allow &&
           std::any_of(decision.variables.begin(), decision.variables.end(),
                       [](const auto& variable) { return variable.first == "RELAYCLIENT"; });
}

std::string line_text(const tcprules::TextLine& line) {
    return fmt::format("{} line {} \"{}\"", line.file, line.number, plain(line.text));
}

class Calls {
  public:
    Calls(const control::Home& home, const Explanation& explanation)
        : home_(home), explanation_(explanation), ip_(explanation.question.ip) {}

    std::vector<std::string> find() {
        listener();
        text_and_cdb();
        relayclient();
        if (!explanation_.client.relayclient) rules_that_nearly_match();
        if (explanation_.trouble.empty()) {
            const auto right = explanation_.right();
            if (!right || right == policy::Reason::open_smtp) login();
            if (!right && explanation_.turned_away.empty()) other_logins();
            for (const Outcome& outcome : explanation_.outcomes) domain(outcome);
        }
        return std::move(calls_);
    }

  private:
    void add(std::string text) {
        if (std::find(calls_.begin(), calls_.end(), text) == calls_.end()) calls_.push_back(std::move(text));
    }

    void listener() {
        if (!explanation_.listener.takes(is_ipv6(ip_)))
            add(fmt::format(
                "no SMTP server here listens for {} clients (control/smtplisten): it cannot connect",
                is_ipv6(ip_) ? "IPv6" : "IPv4"));
        if (explanation_.listener.relays_all)
            add(fmt::format("the run script of {} sets RELAYCLIENT: everybody relays, an OPEN RELAY",
                            explanation_.listener.name));
    }

    void text_and_cdb() {
        const RulesOfServer& rules = explanation_.rules;
        if (!rules.source_trouble.empty()) add("the line of the rule is not known: " + rules.source_trouble);
        if (!rules.text) return;
        const auto* wrong = rules.text->first_wrong();
        if (wrong != nullptr)
            add(fmt::format("tcprules refuses the whole file because of {}: {}", line_text(*wrong),
                            std::get<tcprules::Wrong>(wrong->parsed).reason));
        const RuleMatch& rule = explanation_.rule;
        if (rule.merged || !rule.text_differs) return;
        add(fmt::format("text and cdb differ: by the text {} would decide; {}",
                        rule.text_line != nullptr ? line_text(*rule.text_line) : "no rule",
                        wrong != nullptr ? "mend the line above, then qmailctl cdb"
                                         : "the cdb was not made of it: qmailctl cdb"));
    }

    void relayclient() {
        const RuleMatch& rule = explanation_.rule;
        const auto value = rule.variable("RELAYCLIENT");
        if (!value || !rule.allow) return;
        if (rule.key && (rule.key->empty() || *rule.key == "=" || *rule.key == "::/0"))
            add("this rule lets everybody relay: the server is an OPEN RELAY");
        if (rule.merged)
            add("this rule is a login that was merged into the cdb: it does not expire by itself");
        if (value->empty()) return;
        if (trim(*value).empty())
            add("RELAYCLIENT is blank, not empty: taken as empty here, but qmail appends the blank to every "
                "recipient; write RELAYCLIENT=\"\"");
        else
            add(fmt::format("RELAYCLIENT is not empty: \"{}\" is appended to every recipient",
                            plain(*value)));
    }

    void rules_that_nearly_match() {
        const RulesOfServer& rules = explanation_.rules;
        const tcprules::Client client{ip_, explanation_.question.host, std::nullopt};
        if (rules.text) missing_dots(*rules.text);
        if (!rules.cdb) return;
        if (rules.text && explanation_.rule.key && !explanation_.rule.text_differs)
            wider_rule(*rules.text, client);
        const std::string twin = ip_ == "::1" ? "127.0.0.1" : ip_ == "127.0.0.1" ? "::1" : "";
        if (!twin.empty() && gives_relay(rules.cdb->look_up({twin, {}, {}})))
            add(fmt::format("{} has a rule with RELAYCLIENT, {} has none: programs on this host use both",
                            twin, ip_));
        else if (explanation_.own_address)
            add(fmt::format(
                "{} is an address of this machine: a program here (webmail) connects from it, and "
                "the rules for 127.0.0.1 and ::1 do not hold for it",
                ip_));
    }

    void missing_dots(const tcprules::RulesText& text) {
        for (const tcprules::TextLine& line : text.lines()) {
            const bool partial = !line.address.empty() && line.address.back() != '.' && line.address != ip_ &&
                                 line.address.find_first_not_of("0123456789.") == std::string::npos;
            if (partial && ip_.starts_with(line.address + ".") && line.rule() != nullptr &&
                gives_relay(line.decision()))
                add(line_text(line) + " lacks its final dot and matches nothing: write " + line.address +
                    ".:");
        }
    }

    // Only one rule counts, the most exact.
    void wider_rule(const tcprules::RulesText& text, const tcprules::Client& client) {
        bool after = false;
        for (const std::string& key : tcprules::keys_of_client(client)) {
            if (after) {
                const auto* line = text.line_of(key);
                if (line != nullptr && !key.empty() && gives_relay(line->decision()))
                    return add(fmt::format("{} sets RELAYCLIENT, but the more exact rule alone counts",
                                           line_text(*line)));
            }
            after = after || key == explanation_.rule.key;
        }
    }

    void login() {
        const opensmtp::OpenSmtpFinding& finding = explanation_.login;
        if (!finding.entry) return;
        if (finding.excluded)
            return add(
                fmt::format("{} has logged in from there, but control/opensmtpexclude {} shuts the door",
                            by(finding.entry->user), *finding.excluded));
        if (!explanation_.login_age)
            return add(
                "the login is from a time that the clock has not reached: it does not count; check the "
                "clock (date)");
        const std::int64_t over = *explanation_.login_age - explanation_.lifetime;
        if (over >= 0 && over < recent)
            add(fmt::format("the login of {} expired {} ago", by(finding.entry->user),
                            opensmtp::span_text(over)));
        if (over < 0 && over > -600)
            add(fmt::format("the login of {} expires in {}", by(finding.entry->user),
                            opensmtp::span_text(-over)));
    }

    // True if the account may be the sender's: anna, anna@example.org and anna%example.org are one.
    bool is_senders(std::string user) const {
        if (user.empty()) return false;
        std::replace(user.begin(), user.end(), '%', '@');
        const std::string& sender = explanation_.question.sender;
        if (user.find('@') == std::string::npos)
            return equal_ignoring_case(user, mail::split_address(sender).local);
        return equal_ignoring_case(user, sender);
    }

    // Live logins that would have been right from here: of the same /64, which the names of the files tell,
    // and of the same user, for whom each has to be read.
    void other_logins() {
        if (explanation_.question.login_search <= std::chrono::milliseconds(0)) return;
        const Deadline deadline = Deadline::in(explanation_.question.login_search);
        const opensmtp::OpenSmtpStore store(home_);
        const auto own_network = opensmtp::network64(ip_);
        std::vector<std::string> others;
        for (unsigned split = 0; split < opensmtp::store_splits; ++split) {
            if (deadline.passed()) return not_all_read();
            for (std::string& address : store.addresses(split)) {
                if (own_network && is_ipv6(address) && opensmtp::network64(address) == own_network)
                    other_login(store, address, true);
                else
                    others.push_back(std::move(address));
            }
        }
        for (const std::string& address : others) {
            if (logins_found_ >= logins_named) return;
            if (deadline.passed()) return not_all_read();
            other_login(store, address, false);
        }
    }

    void other_login(const opensmtp::OpenSmtpStore& store, const std::string& address, bool near) {
        const auto entry = store.look_up(address);
        if (!entry || logins_found_ >= logins_named || !opensmtp::live(*entry, explanation_.lifetime, now_))
            return;
        if (explanation_.login.entry && explanation_.login.entry->address == address) return;
        const std::string user = explanation_.login.entry ? explanation_.login.entry->user : "";
        const bool same_user = (!user.empty() && entry->user == user) || is_senders(entry->user);
        if (!near && !same_user) return;
        ++logins_found_;
        add("a login by " + login_words(*entry, opensmtp::age(*entry, now_)) + ", was from " + address +
            how_it_differs(address, near));
    }

    void not_all_read() {
        add("there are more logins than could be looked through: one of this user from another address may "
            "be among them (open-smtp list)");
    }

    std::string how_it_differs(const std::string& address, bool near) const {
        if (near) return ", in the same /64: control/opensmtpprefix6 of 64 would let it count";
        if (is_ipv6(address) == is_ipv6(ip_)) return ", another address";
        return fmt::format(": by {}, while SMTP comes by {}; the client uses both",
                           is_ipv6(address) ? "IPv6" : "IPv4", is_ipv6(ip_) ? "IPv6" : "IPv4");
    }

    // user%host@domain is rewritten to user@host after it was accepted for domain.
    void percenthack(const Outcome& outcome) {
        const mail::AddressParts parts = mail::split_address(outcome.recipient);
        if (!outcome.accepted() || parts.local.find('%') == std::string_view::npos) return;
        if (const auto place = find_line(home_, "percenthack", parts.domain))
            add(fmt::format("by {} this goes on to {}: an OPEN RELAY by user%host@{}", place->text(),
                            plain(parts.local.substr(parts.local.rfind('%') + 1)), plain(parts.domain)));
    }

    void domain(const Outcome& outcome) {
        percenthack(outcome);
        if (outcome.domain.reason != policy::Reason::foreign_domain) return;
        const std::string& name = outcome.domain.detail;
        if (outcome.ours)
            add(
                fmt::format("{} is ours by {}, but not in control/rcpthosts: mail for it from outside is "
                            "refused",
                            plain(name), *outcome.ours));
        if (explanation_.right() || explanation_.sample()) return;
        const auto lines = control::read_if_there<"rcpthosts">(home_);
        if (!lines || lines->empty())
            add(
                fmt::format("control/rcpthosts is {}: no domain is accepted from outside (in stock qmail a "
                            "missing one is an open relay)",
                            lines ? "empty" : "missing"));
        if (const auto place = find_line(home_, "morercpthosts", name))
            add(place->text() + " has it, but morercpthosts.cdb does not: qmailctl cdb");
        if (const auto place = find_line(home_, "rcpthosts", "." + name))
            add(fmt::format("{} has .{}: that is everything below {}, not {} itself", place->text(), name,
                            name, name));
        for (std::size_t dot = name.find('.'); dot != std::string::npos; dot = name.find('.', dot + 1))
            if (const auto place = find_line(home_, "rcpthosts", name.substr(dot + 1)))
                add(fmt::format("{} has {} without a dot in front: names below it are not meant",
                                place->text(), name.substr(dot + 1)));
    }

    const control::Home& home_;
    const Explanation& explanation_;
    const std::string& ip_;
    const opensmtp::Moment now_ = opensmtp::Moment::now();
    std::vector<std::string> calls_;
    std::size_t logins_found_ = 0;
};

}  // namespace

std::vector<std::string> find_close_calls(const control::Home& home, const Explanation& explanation) {
    return Calls(home, explanation).find();
}

}  // namespace relais::explain
