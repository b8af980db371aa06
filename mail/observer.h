// What looks at a message while it comes in: it sees the octets that are stored, and may find a reason to
// refuse the message. Each way in (smtpd/incoming_message, qmtp/intake) has a list of them: size and hops
// have one meaning for all, and whoever wants to see messages too is added to the list.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace relais::mail {

struct MessageRefusal {
    std::string_view code;   // of SMTP
    std::string_view text;   // with its enhanced status
    std::string_view cause;  // one of metrics' words for causes of refusals
    // No usual client sends such octets.
    bool odd = false;
};

inline constexpr MessageRefusal too_big{"552", "sorry, that message size exceeds my databytes limit (#5.3.4)",
                                        "size"};
inline constexpr MessageRefusal too_many_hops{"554", "too many hops, this message is looping (#5.4.6)",
                                              "hops"};
inline constexpr MessageRefusal nul_received{"554", "NUL received, this server refuses it (#5.6.0)", "octets",
                                             true};
inline constexpr MessageRefusal bare_received{
    "554", "bare LF or CR received, lines must end in CRLF (#5.6.0)", "octets", true};

// The reply of SMTP: "552 sorry, ...".
std::string smtp_reply(const MessageRefusal& refusal);

class MessageObserver {
  public:
    virtual ~MessageObserver() = default;
    // The message in pieces, LF line ends. After a refusal, its own or another's, no more comes.
    virtual void add(std::string_view text) = 0;
    virtual std::optional<MessageRefusal> refusal() const { return std::nullopt; }
};

// Its reasons count in the order in which they were added.
class MessageObservers {
  public:
    void watch(std::unique_ptr<MessageObserver> observer);
    // Borrows it.
    void watch(MessageObserver& observer) { all_.push_back(&observer); }
    // Shows the next octets to each, until one has a reason to refuse.
    std::optional<MessageRefusal> add(std::string_view text);

  private:
    std::vector<std::unique_ptr<MessageObserver>> owned_;
    std::vector<MessageObserver*> all_;
};

// The limits of every way in: NULs, if they are refused; size_limit in octets (0: none); the hops of a
// message that is looping.
struct MessageLimits {
    bool refuse_nul = false;
    std::uint64_t size_limit = 0;
};
void watch_limits(MessageObservers& observers, const MessageLimits& limits);

}  // namespace relais::mail
