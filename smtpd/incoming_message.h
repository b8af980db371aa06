// A message on its way from a client's octets to the sink: its line ends, the limits, and what is done to its
// header. The same for DATA and for BDAT.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/deadline.h"
#include "mail/header.h"
#include "policy/incoming_checks.h"
#include "smtpd/data.h"
#include "smtpd/header_completer.h"
#include "smtpd/message_sink.h"
#include "smtpd/results_filter.h"

namespace relais::smtpd {

inline constexpr std::string_view too_big =
    "552 sorry, that message size exceeds my databytes limit (#5.3.4)";
inline constexpr std::string_view bare_received =
    "554 bare LF or CR received, lines must end in CRLF (#5.6.0)";
inline constexpr std::string_view nul_received = "554 NUL received, this server refuses it (#5.6.0)";

class IncomingMessage {
  public:
    struct Rules {
        bool normalise = false;  // line ends (FIXCRIO)
        bool refuse_nul = false;
        std::uint64_t size_limit = 0;  // octets with LF line ends; 0: none
        bool complete_header = false;  // Date and Message-ID
        bool filter_results = false;   // Authentication-Results of our name
        std::string me{};
        std::int64_t now = 0;  // Unix time
    };
    // verification: borrowed; null: nothing is verified.
    IncomingMessage(DataDecoder::Form form, const Rules& rules, policy::IncomingChecks* verification,
                    std::unique_ptr<MessageSink> sink);

    // Takes the next octets; returns how many were used: all of them, unless the end of DATA was among them.
    // What comes after a reason to refuse is read and dropped. Throws what the sink throws.
    std::size_t take(std::string_view input);
    // DATA's end was seen.
    bool ended() const { return decoder_.ended(); }
    // All has come.
    void end();

    // The reply, if the message has to be refused: then there is no sink any more.
    std::optional<std::string_view> refusal() const { return refusal_; }
    // It was refused for octets that only a strange client sends.
    bool odd() const { return refusal_ == bare_received || refusal_ == nul_received; }
    // However steadily the octets trickle in.
    bool out_of_time() const { return deadline_.passed(); }
    MessageSink& sink() { return *sink_; }
    std::uint64_t size() const { return size_; }

  private:
    void pass_on();

    Rules rules_;
    Deadline deadline_;
    DataDecoder decoder_;
    policy::IncomingChecks* verification_;
    mail::HopCounter hops_;
    HeaderCompleter header_;
    ResultsFilter results_;
    std::unique_ptr<MessageSink> sink_;
    std::string text_;
    std::uint64_t size_ = 0;
    std::optional<std::string_view> refusal_;
};

}  // namespace relais::smtpd
