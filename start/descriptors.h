// Which descriptor is what in the programs that qmail-start starts: qmail-start puts them there, the programs
// take them from here. 0 is /dev/null, 1 and 2 are the log.
#pragma once

namespace relais::start {

// qmail-queued
inline constexpr int queued_network_socket = 3;  // listening, connectable by qmaild
inline constexpr int queued_bounce_socket = 4;   // listening, connectable by qmails
inline constexpr int queued_submit_socket = 5;   // listening, connectable by everybody
inline constexpr int queued_hint_pipe =
    6;  // write end; a hint is a message id, 8 octets little-endian; 0 = scan again

// qmail-send
inline constexpr int send_hint_pipe =
    3;  // read end; 1 MiB; found (nearly) full means that hints were dropped: scan again
inline constexpr int send_local_channel = 4;
inline constexpr int send_remote_channel = 5;
inline constexpr int send_lock = 6;            // the instance lock, held until it and its children have ended
inline constexpr int send_control_socket = 7;  // listening, send-control: send/control_protocol.h
// From here on the channels of retired spawners, as many as the argument has letters: l qmail-lspawn, r
// qmail-rspawn.
inline constexpr int send_retired = 8;

// qmail-lspawn, qmail-rspawn
inline constexpr int spawner_channel = 3;
// Listening packet socket, connectable by qmail-start alone: each connection is the channel of another
// qmail-send, an heir (send/delivery_protocol.h). Older versions of qmail-start put the instance lock there.
inline constexpr int spawner_heirs = 4;

// qmail-resolver
inline constexpr int resolver_socket = 3;  // listening, connectable by everybody

// open-smtpd
inline constexpr int open_smtp_socket = 3;  // listening, open-smtp, connectable by root (opensmtp/protocol.h)

// qmail-authd
inline constexpr int auth_socket = 3;       // listening, connectable by root alone: auth/protocol.h
inline constexpr int auth_smtp_socket = 4;  // listening, connectable by qmaild

// qmail-rcptd
inline constexpr int recipients_socket =
    3;  // listening, recipients, connectable by qmaild: local/recipient_protocol.h

// qmail-keyd
inline constexpr int keys_socket = 3;  // listening, keys, connectable by qmaild: keyd/protocol.h

}  // namespace relais::start
