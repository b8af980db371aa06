// QMTP and QMQP, as their author describes them. All is netstrings (base/netstring.h).
//
//   QMTP  client   package = netstring(text) netstring(sender) netstring(netstring(recipient)...), any number
//         server   netstring(answer) for each recipient, in order
//   QMQP  client   netstring(netstring(message) netstring(sender) netstring(recipient)...), one
//         server   netstring(answer)
//
// An answer is one of the letters and a line for people. A text of QMTP begins with LF, or with CR where its
// lines end in CRLF; a message of QMQP is as it lies in the queue.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace relais::qmtp {

inline constexpr std::uint16_t qmtp_port = 209;
inline constexpr std::uint16_t qmqp_port = 628;

enum class Letter : char { accepted = 'K', temporary = 'Z', permanent = 'D' };

struct Answer {
    Letter letter = Letter::temporary;
    std::string text;
    // As it goes over the wire.
    std::string encoded() const;
};

// Turns the CRLFs of a text that comes in pieces into LFs; a CR elsewhere stays.
class LineEnds {
  public:
    std::string add(std::string_view piece);
    // A CR that was the last octet.
    std::string finish();

  private:
    bool after_return_ = false;
};

}  // namespace relais::qmtp
