#include <algorithm>

#include "base/time.h"
#include "queue/store.h"

namespace relais::queue {

std::int64_t beginning(const StoredMessage& message) {
    const auto birth = static_cast<std::int64_t>(message.id / 1'000'000);
    if (message.status.released > 0) return std::max(birth, message.status.released);
    return std::max(birth, message.envelope.options.release);
}

bool waits_for_release(const StoredMessage& message, std::int64_t now) {
    return message.envelope.options.release > now && message.status.released == 0;
}

std::string release_text(const StoredMessage& message) {
    return "released at " + date_gmt(message.envelope.options.release) +
           " GMT, as its sender asks; retry or release sends it at once";
}

}  // namespace relais::queue
