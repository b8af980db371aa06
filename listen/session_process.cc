#include "listen/session_process.h"

#include <string.h>
#include <sys/socket.h>

#include <array>

#include "base/error.h"
#include "base/process_title.h"
#include "base/program.h"
#include "base/unix_socket.h"
#include "listen/processes.h"

namespace relais::listen {
namespace {

// As deep as a session's stack.
constexpr std::size_t stack_depth = 65536;

// False if there is no further client for this process.
[[gnu::noinline]] bool serve_one(Service& service, int channel) {
    const auto packet = receive_packet(channel, visitor_limit);
    if (!packet || !packet->passed) return false;
    const Visitor visitor = decode_visitor(packet->data);
    const Variables variables = variables_of(visitor, service.local_name());
    Fd filters;
    if (visitor.filtered) {
        auto second = receive_packet(channel, visitor_limit);
        if (!second || !second->passed) return false;
        filters = std::move(second->passed);
    }
    set_process_title_with_addresses(service.name(), {visitor.peer.ip});
    if (!service.serve(packet->passed.get(), variables, visitor, filters.get())) return false;
    // Before the connection ends: a client that comes again finds its place free.
    if (::send(channel, &free_word, 1, MSG_NOSIGNAL) != 1) return false;
    set_process_title(service.name(), {"waiting"});
    return true;
}

// What the session left in the stack: strings that are short, buffers.
[[gnu::noinline]] void overwrite_stack() {
    std::array<char, stack_depth> below;
    ::explicit_bzero(below.data(), below.size());
}

}  // namespace

int run_session_process(Service& service, int channel) {
    try {
        set_process_title(service.name(), {"waiting"});
        while (serve_one(service, channel)) overwrite_stack();
        return 0;
    } catch (const std::exception& error) {
        log_line(error.what());
        return static_cast<int>(Exit::temporary);
    }
}

}  // namespace relais::listen
