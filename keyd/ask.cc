#include "keyd/ask.h"

#include <openssl/crypto.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/io.h"
#include "base/unix_socket.h"
#include "keyd/protocol.h"

namespace relais::keyd {
namespace {

// The answer to the one question that was asked: nothing can follow it, so that it may be read with its
// length in one piece.
std::optional<std::string> read_answer(int fd, Deadline deadline) {
    std::array<char, 512> begin{};
    std::size_t have = 0;
    while (have < 4) {
        const std::size_t count = read_some(fd, std::span(begin).subspan(have), deadline);
        if (count == 0) return std::nullopt;
        have += count;
    }
    const std::size_t size = frame_size({begin.data(), 4});
    if (size > answer_limit || have > 4 + size)
        throw Error(Reaction::temporary, "qmail-keyd gave an answer of another form");
    std::string body(begin.data() + 4, have - 4);
    OPENSSL_cleanse(begin.data(), have);
    const std::size_t first = body.size();
    body.resize(size);
    if (first < size && !read_exactly(fd, std::span(body).subspan(first), deadline)) return std::nullopt;
    return body;
}

// Nothing when the connection had died, as it does when qmail-keyd was started anew.
std::optional<std::string> try_to_ask(int fd, std::string_view framed, Deadline deadline) {
    try {
        // Far less than a socket's buffer: it does not wait.
        const ssize_t sent = ::send(fd, framed.data(), framed.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno != EAGAIN && errno != EINTR) throw_errno("write to", "qmail-keyd");
        const auto done = static_cast<std::size_t>(std::max<ssize_t>(sent, 0));
        write_all(fd, framed.substr(done), deadline);
        return read_answer(fd, deadline);
    } catch (const Error& error) {
        if (error.number() == ETIMEDOUT)
            throw Error(Reaction::temporary, "qmail-keyd does not answer", ETIMEDOUT);
        if (error.number() != EPIPE && error.number() != ECONNRESET) throw;
        return std::nullopt;
    }
}

}  // namespace

std::string ask(Fd& fd, const std::string& socket, std::string_view request, Deadline deadline) {
    const std::string framed = frame(request);
    for (int attempt = 0; attempt < 3; ++attempt) {
        if (!fd) fd = connect_unix(socket, deadline);
        // What has no answer in time gets one later: that is none to the next question.
        Fd asked = std::move(fd);
        if (auto answer = try_to_ask(asked.get(), framed, deadline)) {
            fd = std::move(asked);
            if (const auto trouble = decode_trouble(*answer))
                throw Error(Reaction::temporary, "qmail-keyd: " + *trouble);
            return *std::move(answer);
        }
    }
    throw Error(Reaction::temporary, "qmail-keyd closed the connection");
}

}  // namespace relais::keyd
