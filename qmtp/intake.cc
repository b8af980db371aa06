#include "qmtp/intake.h"

#include <fmt/core.h>

#include "base/time.h"
#include "queue/protocol.h"
#include "smtpd/trace_field.h"

namespace relais::qmtp {

Intake::Intake(const OpenSink& open_sink, const policy::Client& client, std::string_view protocol,
               std::uint64_t databytes)
    : sink_(open_sink()) {
    mail::watch_limits(observers_, {.size_limit = databytes});
    sink_->write(smtpd::trace_field(client, std::nullopt, protocol, now_seconds()));
}

void Intake::write(std::string_view text) {
    if (refusal_) return;
    refusal_ = observers_.add(text);
    if (!refusal_) sink_->write(text);
}

Answer Intake::finish(const std::string& sender, const std::vector<std::string>& recipients) {
    if (refusal_) return {Letter::permanent, std::string(refusal_->text)};
    if (recipients.empty()) return {};
    const queue::SubmitAnswer answer = sink_->finish(sender, recipients);
    if (answer.code == queue::SubmitCode::accepted)
        return {Letter::accepted, fmt::format("ok {} qp {}", now_seconds(), sink_->qp())};
    return {queue::is_permanent(answer.code, answer.text) ? Letter::permanent : Letter::temporary,
            queue::submit_text(answer.code, answer.text)};
}

}  // namespace relais::qmtp
