#include "qmtp/intake.h"

#include <fmt/core.h>

#include "base/time.h"
#include "queue/protocol.h"
#include "smtpd/trace_field.h"

namespace relais::qmtp {

Intake::Intake(const OpenSink& open_sink, const policy::Client& client, std::string_view protocol,
               std::uint64_t databytes)
    : sink_(open_sink()), databytes_(databytes) {
    sink_->write(smtpd::trace_field(client, std::nullopt, protocol, now_seconds()));
}

void Intake::write(std::string_view text) {
    size_ += text.size();
    if (databytes_ > 0 && size_ > databytes_) return;
    hops_.add(text);
    sink_->write(text);
}

Answer Intake::finish(const std::string& sender, const std::vector<std::string>& recipients) {
    if (databytes_ > 0 && size_ > databytes_)
        return {Letter::permanent, "sorry, that message size exceeds my databytes limit (#5.3.4)"};
    if (hops_.hops() >= mail::hop_limit)
        return {Letter::permanent, "too many hops, this message is looping (#5.4.6)"};
    if (recipients.empty()) return {};
    const queue::SubmitAnswer answer = sink_->finish(sender, recipients);
    if (answer.code == queue::SubmitCode::accepted)
        return {Letter::accepted, fmt::format("ok {} qp {}", now_seconds(), sink_->qp())};
    return {queue::is_permanent(answer.code, answer.text) ? Letter::permanent : Letter::temporary,
            queue::submit_text(answer.code, answer.text)};
}

}  // namespace relais::qmtp
