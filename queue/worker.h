// The processes of qmail-queued that receive: each takes one submission at a time.
#pragma once

#include <cstddef>
#include <span>

#include "control/home.h"
#include "control/owners.h"
#include "queue/ledger.h"
#include "queue/message_writer.h"
#include "queue/receive.h"

namespace relais::queue {

// What all of them share; it outlives them.
struct Service {
    const control::Home& home;
    const control::Owners& owners;
    const MessageDirectories& directories;
    Ledger& ledger;
    int hint_pipe;  // non-blocking
};

// Enough for a small submission with its frames, so that it is written from where it was received.
inline constexpr std::size_t receive_buffer_size = small_message_limit + std::size_t{64} * 1024;

// A large submission on its way to a process of its own: the door it came by, and what has come of it.
struct Handover {
    Door door;
    std::string_view received;  // for decode_handover within the packet
};
inline constexpr std::size_t handover_limit = 1 + receive_buffer_size;
std::string encode_handover(const Handover& handover);
std::optional<Handover> decode_handover(std::string_view packet);

// One of the pool: accepts from a listening socket for ever; SIGTERM ends it after the current submission. A
// large submission is handed over on a packet socket, for it may come slowly.
[[noreturn]] void run_pool_worker(const Service& service, std::size_t slot, Door door, int listener,
                                  int handover);

// Tells qmail-send that a message is there. Only a hint: a full pipe, or nobody at its end, is no failure.
void send_hint(int pipe, MessageId id);

// A process for one connection; received octets of it are in the packet. Returns when it has been answered.
void serve_alone(const Service& service, std::size_t slot, Door door, int connection,
                 std::string_view received);

}  // namespace relais::queue
