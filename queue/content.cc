#include "queue/content.h"

#include <unistd.h>

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "base/io.h"
#include "base/printable.h"
#include "base/text.h"
#include "mail/header.h"

namespace relais::queue {
namespace {

// At most so many octets from there on; what lies behind the message is not the message.
std::string read_at(int fd, std::uint64_t at, std::uint64_t size) {
    std::string piece(static_cast<std::size_t>(std::min<std::uint64_t>(size - at, io_buffer_size)), '\0');
    const ssize_t count = ::pread(fd, piece.data(), piece.size(), static_cast<off_t>(at));
    if (count < 0) throw_errno("read", "a message");
    piece.resize(static_cast<std::size_t>(count));
    return piece;
}

}  // namespace

std::string subject_of(const Store& store, const StoredMessage& message) {
    std::string start;
    try {
        const Fd file = store.open_for_delivery(message.id);
        start = read_at(file.get(), 0, message.message_size);
    } catch (const Error& error) {
        if (error.number() == ENOENT) return "";
        throw;
    }
    mail::HeaderReader reader(io_buffer_size + 1);
    if (reader.add(start) == mail::HeaderReader::State::more) reader.finish();
    for (const std::string& field : reader.fields()) {
        if (!equal_ignoring_case(mail::field_name(field).value_or(""), "subject")) continue;
        std::string text(trim(mail::field_body(field)));
        std::erase_if(text, [](char c) { return c == '\r' || c == '\n'; });
        return text;
    }
    return "";
}

void print_message(const Store& store, const StoredMessage& message, bool for_terminal) {
    const Fd file = store.open_for_delivery(message.id);
    for (std::uint64_t at = 0; at < message.message_size;) {
        const std::string piece = read_at(file.get(), at, message.message_size);
        if (piece.empty()) throw Error(Reaction::temporary, "the message is shorter than it was");
        at += piece.size();
        std::string shown;
        if (for_terminal)
            for (const std::string_view line : split(piece, '\n')) shown.append(printable(line)).append("\n");
        if (for_terminal) shown.pop_back();
        write_all(STDOUT_FILENO, for_terminal ? shown : piece, Deadline::never());
    }
}

}  // namespace relais::queue
