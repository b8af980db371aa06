// The senders that nothing answers: that of a bounce, and that of a bounce of a bounce.
#pragma once

#include <string_view>

#include "mail/address.h"

namespace relais::mail {

// Who would answer such a message, warn its sender or forward it in another name leaves that.
inline bool is_null_sender(std::string_view sender) {
    return sender.empty() || sender == double_bounce_sender;
}

}  // namespace relais::mail
