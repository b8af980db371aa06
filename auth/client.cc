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

Answer ask(const control::Home& home, const Request& request, Deadline deadline, std::string_view socket) {
    std::string encoded = encode_request(request);
    if (encoded.empty()) {
        Answer answer = temporary("name or password too long, or with a NUL in it");
        answer.result = Result::refused;
        return answer;
    }
    try {
        const Fd fd = connect_unix(home.socket(socket), deadline);
        write_all(fd.get(), encoded, deadline);
        ::explicit_bzero(encoded.data(), encoded.size());
        return read_answer(fd.get(), deadline);
    } catch (const Error& error) {
        ::explicit_bzero(encoded.data(), encoded.size());
        return temporary(error.what());
    }
}

}  // namespace relais::auth
