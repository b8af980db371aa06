#include "qmtp/qmqp_client.h"

#include <algorithm>

#include "base/error.h"
#include "base/io.h"
#include "base/netstring.h"
#include "base/text.h"
#include "net/connect.h"
#include "qmtp/protocol.h"

namespace relais::qmtp {
namespace {

using queue::SubmitCode;

constexpr std::size_t answer_limit = 4096;

SubmitCode read_answer(int fd, std::chrono::seconds silence) {
    try {
        Reader reader(fd);
        NetstringReader strings(reader, answer_limit + 16, silence);
        const auto answer = strings.read(answer_limit);
        switch (answer && !answer->empty() ? static_cast<Letter>(answer->front()) : Letter::temporary) {
            case Letter::accepted:
                return SubmitCode::accepted;
            case Letter::permanent:
                return SubmitCode::refused;
            case Letter::temporary:
                break;
        }
        return SubmitCode::refused_for_now;
    } catch (const Error&) {
        return SubmitCode::communication;
    }
}

// Nothing if the next server may be tried. problem: why not this one.
std::optional<SubmitCode> offer(const net::Endpoint& server, std::string_view request,
                                const Patience& patience, SubmitCode& problem) {
    const net::ConnectResult connected = net::connect_any({server}, patience.connect);
    if (!connected.fd) {
        const bool silent =
            !connected.failures.empty() && connected.failures.back().error_number == ETIMEDOUT;
        problem = silent ? SubmitCode::connect_timed_out : SubmitCode::connect_refused;
        return std::nullopt;
    }
    try {
        // The last octet makes it a message: before it the server has nothing.
        for (std::string_view rest = request; !rest.empty();) {
            const std::string_view piece = rest.substr(0, io_buffer_size);
            write_all(connected.fd.get(), piece, Deadline::in(patience.silence));
            rest.remove_prefix(piece.size());
        }
    } catch (const Error&) {
        problem = SubmitCode::communication;
        return std::nullopt;
    }
    return read_answer(connected.fd.get(), patience.silence);
}

}  // namespace

std::vector<net::Endpoint> parse_servers(const std::vector<std::string>& lines) {
    std::vector<net::Endpoint> servers;
    for (const std::string& line : lines) {
        if (const auto address = net::canonical_address(line))
            servers.push_back({*address, qmqp_port});
        else if (auto endpoint = net::parse_endpoint(line))
            servers.push_back(*std::move(endpoint));
    }
    return servers;
}

std::string encode_request(std::string_view message, std::string_view envelope) {
    std::string inner = netstring(message);
    for (std::string_view rest = envelope.substr(0, envelope.size() - 1); !rest.empty();) {
        const std::size_t end = std::min(rest.find('\0'), rest.size() - 1);
        inner += netstring(rest.substr(1, end - 1));
        rest.remove_prefix(end + 1);
    }
    return netstring(inner);
}

SubmitCode submit(const std::vector<net::Endpoint>& servers, std::string_view request,
                  const Patience& patience) {
    SubmitCode problem = SubmitCode::bad_configuration;
    for (const net::Endpoint& server : servers) {
        try {
            if (const auto code = offer(server, request, patience, problem)) return *code;
        } catch (const Error&) {
            return SubmitCode::network;
        }
    }
    return problem;
}

}  // namespace relais::qmtp
