#include "setup/milter_trial.h"

#include <fmt/core.h>
#include <unistd.h>

#include "base/error.h"
#include "base/text.h"
#include "control/cages.h"
#include "control/milters.h"
#include "control/owners.h"
#include "control/setting.h"
#include "explain/dns.h"
#include "explain/plain.h"
#include "explain/run_as.h"
#include "milter/conversation.h"

namespace relais::setup {
namespace {

using WhenGone = control::Milter::WhenGone;

// For each; who waits longer for it waits with mail in his hands.
constexpr Seconds patience{5};

std::string_view consequence(WhenGone when) {
    switch (when) {
        case WhenGone::accept:
            return "mail passes without it";
        case WhenGone::reject:
            return "mail from the network is refused";
        default:
            return "mail from the network is put off";
    }
}

// What is wrong with each, in their order: a line, empty if nothing is.
std::string tried(const std::vector<control::Milter>& milters, const control::Home& home,
                  net::Resolver& resolver) {
    control::enter(control::milterd_cage, home);
    std::string lines;
    for (const control::Milter& milter : milters) {
        try {
            milter::Conversation(milter, resolver).reach(Deadline::in(patience));
        } catch (const Error& error) {
            lines += explain::plain(error.what());
        }
        lines += '\n';
    }
    return lines;
}

}  // namespace

void look_at_milters(const Plan& plan, Report& report) {
    const auto milters = control::parse_milters(control::read<"milters">(plan.home));
    if (milters.empty()) return;
    if (::geteuid() != 0 && !plan.identity.single)
        return report.unseen("only root can ask the milters as qmail-milterd's user does");
    explain::Dns dns(plan.home);
    // A milter may know its clients by their user.
    const auto owner = control::Owners::read(plan.home).of(control::Role::qmailx);
    const std::string said =
        explain::run_as(owner.uid, owner.gid, [&] { return tried(milters, plan.home, dns.resolver()); });
    const auto lines = split(said, '\n');
    for (std::size_t i = 0; i < milters.size() && i < lines.size(); ++i) {
        const std::string name = explain::plain(milters[i].name);
        if (lines[i].empty())
            report.good("the milter " + name + " answers");
        else
            report.bad(fmt::format("the milter {} cannot be asked: {}: {}", name, explain::plain(lines[i]),
                                   consequence(milters[i].when_gone)),
                       "start it, or mend its line in control/milters; its socket must be open to "
                       "qmail-milterd's user");
    }
}

}  // namespace relais::setup
