// How a session has mail from outside verified.
#include "smtpd/session.h"

namespace relais::smtpd {
namespace {

// On top of a larger message stands what SPF says alone: each session may have that much in memory.
constexpr std::size_t kept_message_limit = std::size_t{2} << 20;

}  // namespace

std::unique_ptr<MessageSink> Session::open_sink() {
    auto sink = open_sink_();
    policy::IncomingChecks* const verification = chain_.verification();
    if (verification == nullptr) return sink;
    return std::make_unique<LateHeader>(std::move(sink), kept_message_limit,
                                        [verification] { return verification->fields(); });
}

bool Session::believes_message(MessageSink& sink) {
    const policy::Verdict verdict = chain_.judge_message();
    if (!verdict.passes()) {
        refuse(verdict.reply, std::nullopt, verdict.why);
        return false;
    }
    // It is the one that open_sink has made.
    if (auto* verification = chain_.verification())
        static_cast<LateHeader&>(sink).put_on_top(verification->fields());
    return true;
}

}  // namespace relais::smtpd
