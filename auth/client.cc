#include <array>
#include <cstring>

#include "auth/protocol.h"
#include "base/error.h"
#include "base/io.h"
#include "base/unix_socket.h"

namespace relais::auth {
namespace {

Answer temporary(std::string text) {
    Answer answer;
    answer.text = std::move(text);
    return answer;
}

Answer read_answer(int fd, Deadline deadline) {
    std::array<char, 2> head{};
    if (!read_exactly(fd, head, deadline)) return temporary("qmail-authd closed the connection");
    const std::size_t size = static_cast<unsigned char>(head[0]) |
                             static_cast<std::size_t>(static_cast<unsigned char>(head[1])) << 8;
    std::string body(size, '\0');
    if (size <= answer_limit && read_exactly(fd, body, deadline))
        if (auto answer = decode_answer(body)) return *std::move(answer);
    return temporary("qmail-authd gave an answer of another form");
}

}  // namespace

Fd begin(const control::Home& home, const Request& request, Deadline deadline, std::string_view socket) {
    std::string encoded = encode_request(request);
    if (encoded.empty()) throw_permanent("name or password too long, or with a NUL in it");
    try {
        Fd fd = connect_unix(home.socket(socket), deadline);
        write_all(fd.get(), encoded, deadline);
        ::explicit_bzero(encoded.data(), encoded.size());
        return fd;
    } catch (const Error&) {
        ::explicit_bzero(encoded.data(), encoded.size());
        throw;
    }
}

Answer finish(int fd, Deadline deadline) {
    try {
        return read_answer(fd, deadline);
    } catch (const Error& error) {
        return temporary(error.what());
    }
}

Answer ask(const control::Home& home, const Request& request, Deadline deadline, std::string_view socket) {
    try {
        return finish(begin(home, request, deadline, socket).get(), deadline);
    } catch (const Error& error) {
        Answer answer = temporary(error.what());
        if (error.reaction() == Reaction::permanent) answer.result = Result::refused;
        return answer;
    }
}

}  // namespace relais::auth
