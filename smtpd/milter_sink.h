// A message on its way to the queue that milters look at first: it waits at qmail-milterd, and what comes
// back from there is submitted. So nothing is in the queue that they have not seen, and only in its last
// form.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "milter/client.h"
#include "smtpd/message_sink.h"

namespace relais::smtpd {

class MilterSink final : public MessageSink {
  public:
    // Says who sends a message that was taken for a stranger's.
    using FindSubmitter = std::function<mail::Submitter()>;

    // Borrows the milters. find: asked of what they hold, for a stranger's held mail ends without a bounce.
    MilterSink(std::unique_ptr<MessageSink> next, milter::Milters& milters, FindSubmitter find)
        : next_(std::move(next)), milters_(milters), find_(std::move(find)) {}

    void begin(const mail::Envelope& envelope) override { envelope_ = envelope; }
    void write(std::string_view text) override { milters_.write(text); }
    // Once milters.end() has let it pass. Sender and recipients are those that it came with: the milters may
    // have made others of them.
    queue::SubmitAnswer finish(const std::string& sender,
                               const std::vector<std::string>& recipients) override;
    std::uint64_t qp() const override { return next_->qp(); }
    std::string session() const override { return next_->session(); }

  private:
    std::unique_ptr<MessageSink> next_;
    milter::Milters& milters_;
    FindSubmitter find_;
    mail::Envelope envelope_{};
};

}  // namespace relais::smtpd
