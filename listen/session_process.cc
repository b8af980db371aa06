#include "listen/session_process.h"

#include <string.h>
#include <sys/socket.h>

#include <array>
#include <cstdlib>

#include "base/error.h"
#include "base/process_title.h"
#include "base/program.h"
#include "base/unix_socket.h"
#include "listen/processes.h"

namespace relais::listen {
namespace {

// As deep as a session's stack.
constexpr std::size_t stack_depth = 65536;

void export_variables(const Variables& variables) {
    for (const char* name : {"TCPREMOTEHOST", "TCPREMOTEINFO", "TCP6REMOTEHOST", "TCP6REMOTEINFO"})
        ::unsetenv(name);
    for (const auto& [name, value] : variables) ::setenv(name.c_str(), value.c_str(), 1);
}

// False if there is no further client for this process.
[[gnu::noinline]] bool serve_one(Service& service, int channel, bool with_environment) {
    const auto packet = receive_packet(channel, visitor_limit);
    if (!packet || !packet->passed) return false;
    const Visitor visitor = decode_visitor(packet->data);
    const Variables variables = variables_of(visitor, service.local_name());
    if (with_environment) export_variables(variables);
    set_process_title(service.name(), {visitor.peer.ip});
    if (!service.serve(packet->passed.get(), variables, visitor)) return false;
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

int run_session_process(Service& service, int channel, bool with_environment) {
    try {
        set_process_title(service.name(), {"waiting"});
        while (serve_one(service, channel, with_environment)) overwrite_stack();
        return 0;
    } catch (const std::exception& error) {
        log_line(error.what());
        return static_cast<int>(Exit::temporary);
    }
}

}  // namespace relais::listen
