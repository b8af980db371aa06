// What can be done for a client that is refused: sentences, the best first.
#include <fmt/core.h>

#include <algorithm>

#include "explain/explanation.h"
#include "explain/plain.h"

namespace relais::explain {
namespace {

bool is_ipv6(std::string_view address) {
    return address.find(':') != std::string_view::npos;
}

// Where a new rule belongs: the first text of an IPv6 server, the last (shared) one for IPv4 clients.
std::string file_for_rule(const Explanation& explanation) {
    const auto sources = sources_of(explanation.rules.path);
    if (sources.empty()) return "the rules of " + explanation.listener.name;
    return is_ipv6(explanation.question.ip) ? sources.front() : sources.back();
}

// How a changed text becomes a cdb: qmailctl knows the instance's own files only.
std::string compile_words(const control::Home& home, const Explanation& explanation) {
    const std::string& cdb = explanation.rules.path;
    if (cdb == home.path("tcp.smtp.cdb") || cdb == home.path("tcp.smtp6.cdb")) return "qmailctl cdb";
    const auto sources = sources_of(cdb);
    return fmt::format("tcprules {} {}.tmp <{}", cdb, cdb, sources.empty() ? "RULES" : sources.front());
}

class Remedies {
  public:
    Remedies(const control::Home& home, const Explanation& explanation)
        : home_(home), explanation_(explanation), compile_(compile_words(home, explanation)) {}

    std::vector<std::string> find() {
        if (!explanation_.rules.trouble.empty())
            add(fmt::format("make {} readable for the server, or anew: {}", explanation_.rules.path,
                            compile_));
        else if (!explanation_.turned_away.empty())
            denied();
        else if (!explanation_.trouble.empty())
            add("mend that; qmail-setup --check " + home_.directory() + " names what is wrong with files");
        else
            for (const Outcome& outcome : explanation_.outcomes) refused(outcome);
        return std::move(remedies_);
    }

  private:
    void add(std::string text) {
        if (std::find(remedies_.begin(), remedies_.end(), text) == remedies_.end())
            remedies_.push_back(std::move(text));
    }

    std::string rule_line(std::string_view variables) const {
        return explanation_.question.ip + ":allow" + std::string(variables);
    }

    void denied() {
        add(fmt::format("change {}, or put {} before it; then {}", explanation_.rule.text(), rule_line(""),
                        compile_));
    }

    void refused(const Outcome& outcome) {
        switch (outcome.verdict.cause) {
            case policy::Cause::none:
                break;
            case policy::Cause::bad_sender:
                add(fmt::format("remove {} if that sender is welcome",
                                explanation_.bad_sender_place ? explanation_.bad_sender_place->text()
                                                              : "its line from control/badmailfrom"));
                break;
            case policy::Cause::check:
                add(outcome.rule ? fmt::format("remove {} if that is welcome", outcome.rule->text())
                                 : "mend what it says, or let it pass");
                add(fmt::format("or let it pass for everybody: \"{} log\" in control/checks",
                                outcome.verdict.check));
                break;
            case policy::Cause::local_sender:
                gain_right();
                add("or let it pass for everybody: control/localsenders of warn or off");
                break;
            case policy::Cause::foreign_login:
                add("list the sender for this login in control/senderlogins");
                break;
            case policy::Cause::no_right:
                no_right(outcome);
                break;
            case policy::Cause::too_long:
                add("shorten RELAYCLIENT or the address");
                break;
            case policy::Cause::unknown:
                add(fmt::format(
                    "route-explain {} says what is missing; or write \"DOMAIN off\" below the first line of "
                    "control/recipientcheck",
                    plain(outcome.verdict.recipient)));
                break;
            case policy::Cause::spf:
            case policy::Cause::dmarc:
                add("send from a server that the sender's domain names");
                break;
            case policy::Cause::cannot_tell:
                add("run this as root while the instance runs; qmailctl doctor says what does not");
        }
        if (outcome.verdict.cause == policy::Cause::none && !outcome.accepted())
            add("send a command that the reply does not complain of");
    }

    void no_right(const Outcome& outcome) {
        const std::string& domain = outcome.domain.detail;
        if (outcome.ours)
            return add(fmt::format("add {} to control/rcpthosts: {} has it", plain(domain), *outcome.ours));
        if (find_line(home_, "morercpthosts", domain))
            return add("compile control/morercpthosts: qmailctl cdb");
        gain_right();
        if (!explanation_.sample())
            add(fmt::format("or, if {} is a domain of yours, add it to control/rcpthosts", plain(domain)));
    }

    void gain_right() {
        const RuleMatch& rule = explanation_.rule;
        if (rule.text_differs && rule.text_line != nullptr && sets_relayclient(*rule.text_line)) {
            const auto* wrong = explanation_.rules.text->first_wrong();
            return add(fmt::format(
                "{}{}: {} line {} lets it relay then",
                wrong != nullptr ? fmt::format("mend {} line {}, then ", wrong->file, wrong->number) : "",
                compile_, rule.text_line->file, rule.text_line->number));
        }
        const std::string_view or_ = explanation_.own_address ? "" : "or ";
        if (!explanation_.own_address) log_in();
        // Where the rule for the address is there already, and says no, its line is to be changed.
        if (rule.key == explanation_.question.ip && rule.line != nullptr)
            add(fmt::format("{}add ,RELAYCLIENT=\"\" to {} line {}, then {}", or_,
                            file_for_rule(explanation_), rule.line->number, compile_));
        else
            add(fmt::format("{}add this line to {}, then {}: {}", or_, file_for_rule(explanation_), compile_,
                            rule_line(",RELAYCLIENT=\"\"")));
    }

    void log_in() {
        add("have the user authenticate: in the mail program, \"my server requires authentication\", port "
            "587");
        if (!explanation_.login.excluded && explanation_.lifetime > 0)
            add(fmt::format("or log in by POP3 or IMAP from {} first: that address may send for {} then",
                            explanation_.question.ip, opensmtp::span_text(explanation_.lifetime)));
    }

    static bool sets_relayclient(const tcprules::TextLine& line) {
        const tcprules::Decision decision = line.decision();
        return decision.allow && std::any_of(decision.variables.begin(), decision.variables.end(),
                                             [](const auto& each) { return each.first == "RELAYCLIENT"; });
    }

    const control::Home& home_;
    const Explanation& explanation_;
    std::string compile_;
    std::vector<std::string> remedies_;
};

}  // namespace

std::vector<std::string> find_remedies(const control::Home& home, const Explanation& explanation) {
    return Remedies(home, explanation).find();
}

}  // namespace relais::explain
