// How a session has mail from outside checked and verified.
#include <poll.h>

#include <algorithm>

#include "smtpd/milter_sink.h"
#include "smtpd/session.h"

namespace relais::smtpd {
namespace {

// On top of a larger message stands what SPF says alone: each session may have that much in memory.
constexpr std::size_t kept_message_limit = std::size_t{2} << 20;

}  // namespace

void Session::wait_for_early_talk() {
    const std::chrono::seconds delay = settings_.wait_before_greeting(client_);
    if (delay.count() == 0 || !channel_.has_input_within(delay)) return;
    spent_ = true;
    chain_.heard_early();
}

void Session::tarpit() {
    const std::uint64_t count = client_.tarpit_count.value_or(settings_.tarpit_count);
    if (count == 0 || is_trusted() || ++recipients_named_ <= count || !chain_.is_stranger()) return;
    pause(settings_.tarpit_pause(client_));
}

void Session::pause(std::chrono::seconds time) {
    if (time.count() == 0) return;
    channel_.flush();
    ::poll(nullptr, 0, static_cast<int>(std::chrono::milliseconds(time).count()));
}

void Session::keep_fields(std::vector<std::string> fields) {
    auto& kept = transaction_->fields;
    for (std::string& field : fields)
        if (std::find(kept.begin(), kept.end(), field) == kept.end()) kept.push_back(std::move(field));
}

std::unique_ptr<MessageSink> Session::open_sink() {
    auto sink = open_sink_();
    if (milters_ != nullptr) sink = std::make_unique<MilterSink>(std::move(sink), *milters_);
    policy::IncomingChecks* const verification = chain_.verification();
    if (verification == nullptr) return sink;
    return std::make_unique<LateHeader>(std::move(sink), kept_message_limit,
                                        [verification] { return verification->fields(); });
}

bool Session::believes_message(MessageSink& sink) {
    const policy::Verdict verdict = chain_.judge_message();
    if (!verdict.passes()) {
        refuse(verdict.check, verdict.reply, std::nullopt, verdict.why);
        return false;
    }
    // It is the one that open_sink has made.
    if (auto* verification = chain_.verification())
        static_cast<LateHeader&>(sink).put_on_top(verification->fields());
    return true;
}

}  // namespace relais::smtpd
