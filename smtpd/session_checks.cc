// How a session has mail from outside verified.
#include "base/time.h"
#include "smtpd/session.h"

namespace relais::smtpd {
namespace {

// On top of a larger message stands what SPF says alone: each session may have that much in memory.
constexpr std::size_t kept_message_limit = std::size_t{2} << 20;

}  // namespace

bool Session::believes_sender(std::string_view recipient) {
    if (dns_ == nullptr || !settings_.checks.wanted()) return true;
    if (!transaction_->checks) {
        // A login by POP gives the right to relay, which a recipient here does not need.
        if (policy_.find_open_smtp(client_).live) return true;
        authres::SpfQuestion question;
        question.ip = client_.ip;
        question.helo = helo_.value_or("");
        question.sender = transaction_->sender;
        question.receiver = settings_.me;
        question.now = now_seconds();
        transaction_->checks =
            std::make_unique<IncomingChecks>(settings_.checks, *dns_, settings_.me, std::move(question));
    }
    const auto refusal = transaction_->checks->refuse_sender();
    if (refusal) refuse(refusal->reply, recipient, refusal->why);
    return !refusal;
}

std::unique_ptr<MessageSink> Session::open_sink() {
    auto sink = open_sink_();
    if (!transaction_->checks) return sink;
    return std::make_unique<LateHeader>(std::move(sink), kept_message_limit,
                                        [this] { return transaction_->checks->fields(); });
}

bool Session::believes_message(MessageSink& sink) {
    if (!transaction_->checks) return true;
    if (const auto refusal = transaction_->checks->finish()) {
        refuse(refusal->reply, std::nullopt, refusal->why);
        return false;
    }
    // It is the one that open_sink has made.
    static_cast<LateHeader&>(sink).put_on_top(transaction_->checks->fields());
    return true;
}

}  // namespace relais::smtpd
