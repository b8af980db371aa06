#include "queue/client.h"
#include "smtpd/message_sink.h"

namespace relais::smtpd {
namespace {

// A message may come slowly (session.cc has the limit); the answer comes soon after its end.
constexpr std::chrono::hours submission_time_limit{24};

class QueueSink : public MessageSink {
  public:
    QueueSink(const control::Home& home, int filters)
        : submission_(home, queue::Door::network, Deadline::in(submission_time_limit)) {
        if (filters >= 0) submission_.use_runner(filters);
    }

    void begin(const mail::Envelope& envelope) override { submission_.begin(envelope); }
    void write(std::string_view text) override { submission_.write(text); }
    queue::SubmitAnswer finish(const std::string& sender,
                               const std::vector<std::string>& recipients) override {
        return submission_.finish(sender, recipients);
    }
    std::uint64_t qp() const override { return submission_.qp(); }
    std::string session() const override { return submission_.session(); }

  private:
    queue::Submission submission_;
};

}  // namespace

std::unique_ptr<MessageSink> open_queue(const control::Home& home, int filters) {
    return std::make_unique<QueueSink>(home, filters);
}

}  // namespace relais::smtpd
