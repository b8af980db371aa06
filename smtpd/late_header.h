// A message on its way to the queue, for which something will be put on top that is known only at its end.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "smtpd/message_sink.h"

namespace relais::smtpd {

class LateHeader final : public MessageSink {
  public:
    // The message is kept up to that many octets. One that grows beyond asks early for what is known by then,
    // and goes on.
    LateHeader(std::unique_ptr<MessageSink> next, std::size_t limit, std::function<std::string()> early)
        : next_(std::move(next)), limit_(limit), early_(std::move(early)) {}

    void begin(const mail::Envelope& envelope) override { next_->begin(envelope); }
    void write(std::string_view text) override;
    // Fields with LF line ends. Nothing happens for a message that has gone on.
    void put_on_top(std::string_view fields);
    // True if nothing can be put on top any more.
    bool has_gone_on() const { return gone_on_; }
    queue::SubmitAnswer finish(const std::string& sender,
                               const std::vector<std::string>& recipients) override;
    std::uint64_t qp() const override { return next_->qp(); }
    std::string session() const override { return next_->session(); }

  private:
    std::unique_ptr<MessageSink> next_;
    std::size_t limit_;
    std::function<std::string()> early_;
    std::string kept_;
    bool gone_on_ = false;
};

}  // namespace relais::smtpd
