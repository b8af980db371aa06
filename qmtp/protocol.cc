#include "qmtp/protocol.h"

#include <utility>

#include "base/netstring.h"

namespace relais::qmtp {

std::string Answer::encoded() const {
    return netstring(static_cast<char>(letter) + text);
}

std::string LineEnds::add(std::string_view piece) {
    std::string text;
    text.reserve(piece.size() + 1);
    for (const char c : piece) {
        if (after_return_ && c != '\n') text += '\r';
        after_return_ = c == '\r';
        if (!after_return_) text += c;
    }
    return text;
}

std::string LineEnds::finish() {
    return std::exchange(after_return_, false) ? "\r" : "";
}

}  // namespace relais::qmtp
