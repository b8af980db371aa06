// Which descriptor is what in the programs that qmail-start starts, by their rows in start/daemons.h. 0 is
// /dev/null, 1 and 2 are the log.
#pragma once

#include "start/daemons.h"

namespace relais::start {

// qmail-queued. A hint is a message id, 8 octets little-endian; 0: scan again.
inline constexpr int queued_network_socket = listening("queue-network");
inline constexpr int queued_bounce_socket = listening("queue-bounce");
inline constexpr int queued_submit_socket = listening("queue-submit");
inline constexpr int queued_hint_pipe = descriptor_of("qmail-queued", Given::hint_writer);

// qmail-send. The pipe of hints has 1 MiB; found (nearly) full it means that hints were dropped: scan again.
inline constexpr int send_hint_pipe = descriptor_of("qmail-send", Given::hint_reader);
inline constexpr int send_local_channel = descriptor_of("qmail-send", Given::local_channel);
inline constexpr int send_remote_channel = descriptor_of("qmail-send", Given::remote_channel);
// Held until it and its children have ended.
inline constexpr int send_lock = descriptor_of("qmail-send", Given::send_lock);
inline constexpr int send_control_socket = listening("send-control");
// From here on the channels of retired spawners, as many as the argument has letters: l qmail-lspawn, r
// qmail-rspawn. Behind them, if the argument ends with an s, the secret of keyd/mail_token.h, and the socket
// "turn": an older qmail-start gives none, and the numbers before are the same.
inline constexpr int send_retired = send_control_socket + 1;
inline constexpr char send_token_secret = 's';

// qmail-lspawn, qmail-rspawn
inline constexpr int spawner_channel = descriptor_of("qmail-lspawn", Given::orders);
// Listening packet socket, connectable by qmail-start alone: each connection is the channel of another
// qmail-send, an heir (send/delivery_protocol.h). Older versions of qmail-start put the instance lock there.
inline constexpr int spawner_heirs = descriptor_of("qmail-lspawn", Given::heirs);
static_assert(descriptor_of("qmail-rspawn", Given::orders) == spawner_channel);
static_assert(descriptor_of("qmail-rspawn", Given::heirs) == spawner_heirs);

}  // namespace relais::start
