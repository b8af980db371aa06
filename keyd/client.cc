#include "keyd/client.h"

#include <openssl/crypto.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/io.h"
#include "base/unix_socket.h"

namespace relais::keyd {
namespace {

// Nothing when the other side has closed.
std::optional<std::string> read_frame(int fd, Deadline deadline) {
    std::array<char, 4> head{};
    if (!read_exactly(fd, head, deadline)) return std::nullopt;
    const std::size_t size = frame_size({head.data(), head.size()});
    if (size > answer_limit) throw Error(Reaction::temporary, "qmail-keyd gave an answer of another form");
    std::string body(size, '\0');
    if (size > 0 && !read_exactly(fd, body, deadline)) return std::nullopt;
    return body;
}

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

template <class Value>
Value checked(std::optional<Value> value) {
    if (!value) throw Error(Reaction::temporary, "qmail-keyd gave an answer of another form");
    return *std::move(value);
}

}  // namespace

// Nothing when the connection had died, as it does when qmail-keyd was started anew.
std::optional<std::string> KeyClient::try_to_ask(std::string_view framed, Deadline deadline) {
    try {
        // Far less than a socket's buffer: it does not wait.
        const ssize_t sent = ::send(fd_.get(), framed.data(), framed.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno != EAGAIN && errno != EINTR) throw_errno("write to", "qmail-keyd");
        const auto done = static_cast<std::size_t>(std::max<ssize_t>(sent, 0));
        write_all(fd_.get(), framed.substr(done), deadline);
        return read_answer(fd_.get(), deadline);
    } catch (const Error& error) {
        if (error.number() == ETIMEDOUT)
            throw Error(Reaction::temporary, "qmail-keyd does not answer", ETIMEDOUT);
        if (error.number() != EPIPE && error.number() != ECONNRESET) throw;
        return std::nullopt;
    }
}

std::string KeyClient::ask(const Request& request, Deadline deadline) {
    const std::string framed = frame(encode_request(request));
    for (int attempt = 0; attempt < 3; ++attempt) {
        if (!fd_) fd_ = connect_unix(home_.socket("keys"), deadline);
        if (auto answer = try_to_ask(framed, deadline)) {
            if (const auto trouble = decode_trouble(*answer))
                throw Error(Reaction::temporary, "qmail-keyd: " + *trouble);
            return *std::move(answer);
        }
        fd_.reset();
    }
    throw Error(Reaction::temporary, "qmail-keyd closed the connection");
}

Chain KeyClient::certificate_for(std::string_view name, Deadline deadline) {
    return checked(decode_chain(ask(CertificateFor{name}, deadline)));
}

Signature KeyClient::sign(const Signing& signing, Deadline deadline) {
    return checked(decode_signature(ask(signing, deadline)));
}

TicketAnswer KeyClient::ticket(std::string_view name, Deadline deadline) {
    return checked(decode_ticket_answer(ask(TicketOf{name}, deadline)));
}

Ticket KeyClient::new_ticket(Deadline deadline) {
    return checked(decode_new_ticket(ask(NewTicket{}, deadline)));
}

Fd watch(const control::Home& home, Deadline deadline) {
    Fd fd = connect_unix(home.socket("keys"), deadline);
    write_all(fd.get(), frame(encode_request(Watch{})), deadline);
    return fd;
}

std::optional<Chain> read_watched(int fd, Deadline deadline) {
    const auto body = read_frame(fd, deadline);
    if (!body) return std::nullopt;
    return checked(decode_chain(*body));
}

}  // namespace relais::keyd
