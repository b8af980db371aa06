// A process of one user's that delivers into his Maildirs, for as long as qmail-lspawn has orders for him: no
// process for each message, and what waits together is synced together. Whatever is more than one message
// into one Maildir (programs, forwarding, mboxes) it gives back, for a process of its own. Between two orders
// it holds neither a descriptor nor a working directory in the user's home.
//
//   order  = size of user (4 octets, little-endian) user (encode_user) LocalOrder (send/delivery_protocol.h), with the
//            message's descriptor
//   answer = Report (send/delivery_protocol.h); one without recipients gives the order back
//
// The process has given up root's rights before it reads the first order. qmail-lspawn trusts an answer to be
// about the orders that the process has, no more.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "control/home.h"
#include "local/user.h"
#include "send/delivery_protocol.h"

namespace relais::local {

// Orders that a process may have at a time: they wait for each other.
inline constexpr std::size_t user_orders_limit = 32;
// A larger message is not worth the others' waiting.
inline constexpr std::uint64_t user_message_limit = 256 * 1024;

std::string encode_user_order(std::string_view user, const send::LocalOrder& order);

struct UserOrder {
    User user;
    send::LocalOrder order;
};
// Nothing for anything that is not exactly right.
std::optional<UserOrder> decode_user_order(std::string_view packet);

// Serves orders until the channel is closed. Throws Error if the channel breaks.
void serve_user(const control::Home& home, int channel, const std::string& default_delivery);

}  // namespace relais::local
