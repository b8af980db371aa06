#include "keyd/client.h"

#include <array>

#include "base/error.h"
#include "base/io.h"
#include "base/unix_socket.h"
#include "keyd/ask.h"

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

template <class Value>
Value checked(std::optional<Value> value) {
    if (!value) throw Error(Reaction::temporary, "qmail-keyd gave an answer of another form");
    return *std::move(value);
}

}  // namespace

std::string KeyClient::ask(const Request& request, Deadline deadline) {
    return keyd::ask(fd_, home_.socket("keys"), encode_request(request), deadline);
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
