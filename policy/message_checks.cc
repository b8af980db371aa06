// From whom the message is: what SPF says of the sender, and DMARC of the author.
#include "base/time.h"
#include "policy/check.h"

namespace relais::policy {

Result check_spf(Facts& facts) {
    if (!facts.verification) {
        authres::SpfQuestion question;
        question.ip = facts.client.ip;
        question.helo = facts.helo.value_or("");
        question.sender = facts.sender;
        question.receiver = facts.settings.me;
        question.now = now_seconds();
        facts.verification = std::make_unique<IncomingChecks>(facts.settings.checks, *facts.dns,
                                                              facts.settings.me, std::move(question));
    }
    // Its results stand on top of the message all the same.
    if (facts.spared) return {};
    const auto found = facts.verification->refuse_sender();
    return found ? refusal(Cause::spf, found->reply, found->why) : Result{};
}

Result check_dmarc(Facts& facts) {
    if (!facts.verification) return {};
    const auto found = facts.verification->finish();
    return found && !facts.spared ? refusal(Cause::dmarc, found->reply, found->why) : Result{};
}

}  // namespace relais::policy
