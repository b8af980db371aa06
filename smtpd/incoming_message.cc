#include "smtpd/incoming_message.h"

namespace relais::smtpd {
namespace {

constexpr std::chrono::hours time_limit{24};

}  // namespace

IncomingMessage::IncomingMessage(DataDecoder::Form form, const Rules& rules,
                                 std::unique_ptr<MessageSink> sink)
    : rules_(rules),
      deadline_(Deadline::in(time_limit)),
      decoder_(rules.normalise, form),
      header_(rules.complete_header, rules.me, rules.now),
      results_(rules.filter_results, rules.me),
      sink_(std::move(sink)) {
    mail::watch_limits(observers_, rules.limits);
}

std::size_t IncomingMessage::take(std::string_view input) {
    text_.clear();
    text_.reserve(input.size());
    const std::size_t used = decoder_.decode(input, text_);
    pass_on();
    return used;
}

void IncomingMessage::end() {
    text_.clear();
    decoder_.end(text_);
    if (!text_.empty() || decoder_.bare()) pass_on();
    if (refusal_) return;
    text_ = results_.finish();
    header_.feed(text_);
    sink_->write(text_);
    sink_->write(header_.finish());
}

void IncomingMessage::pass_on() {
    if (refusal_) return;
    size_ += text_.size();
    refusal_ = decoder_.bare() ? mail::bare_received : observers_.add(text_);
    if (refusal_) {
        sink_.reset();
        return;
    }
    results_.feed(text_);
    header_.feed(text_);
    sink_->write(text_);
}

}  // namespace relais::smtpd
