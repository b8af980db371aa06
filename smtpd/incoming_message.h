// A message on its way from a client's octets to the sink: its line ends, the limits, and what is done to its
// header. The same for DATA and for BDAT.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/deadline.h"
#include "mail/observer.h"
#include "smtpd/data.h"
#include "smtpd/header_completer.h"
#include "smtpd/message_sink.h"
#include "smtpd/results_filter.h"

namespace relais::smtpd {

class IncomingMessage {
  public:
    struct Rules {
        bool normalise = false;  // line ends (FIXCRIO)
        mail::MessageLimits limits{};
        bool complete_header = false;  // Date and Message-ID
        bool filter_results = false;   // Authentication-Results of our name
        std::string me{};
        std::int64_t now = 0;  // Unix time
    };
    IncomingMessage(DataDecoder::Form form, const Rules& rules, std::unique_ptr<MessageSink> sink);

    // Who sees it too, after the limits, as it comes: before what is done to its header. Borrows it.
    void watch(mail::MessageObserver& observer) { observers_.watch(observer); }

    // Takes the next octets; returns how many were used: all of them, unless the end of DATA was among them.
    // What comes after a reason to refuse is read and dropped. Throws what the sink throws.
    std::size_t take(std::string_view input);
    // DATA's end was seen.
    bool ended() const { return decoder_.ended(); }
    // All has come.
    void end();

    // If the message has to be refused: then there is no sink any more.
    const std::optional<mail::MessageRefusal>& refusal() const { return refusal_; }
    // However steadily the octets trickle in.
    bool out_of_time() const { return deadline_.passed(); }
    MessageSink& sink() { return *sink_; }
    std::uint64_t size() const { return size_; }

  private:
    void pass_on();

    Rules rules_;
    Deadline deadline_;
    DataDecoder decoder_;
    mail::MessageObservers observers_;
    HeaderCompleter header_;
    ResultsFilter results_;
    std::unique_ptr<MessageSink> sink_;
    std::string text_;
    std::uint64_t size_ = 0;
    std::optional<mail::MessageRefusal> refusal_;
};

}  // namespace relais::smtpd
