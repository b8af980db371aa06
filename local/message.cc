#include "local/message.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>

#include "base/classic_errno.h"
#include "base/deadline.h"
#include "base/error.h"
#include "base/io.h"

namespace relais::local {
namespace {

[[noreturn]] void cannot_read(int error_number) {
    throw Error(Reaction::temporary,
                "Unable to read message: " + classic_errno_text(error_number) + ". (#4.3.0)", error_number);
}

// Tells, line by line of a header that comes in pieces, whether one of them is the wanted line.
class LineSearch {
  public:
    explicit LineSearch(std::string_view wanted) : wanted_(wanted) {}

    enum class State { going_on, found, header_ended };
    State feed(std::string_view piece) {
        while (!piece.empty()) {
            const std::size_t end = piece.find('\n');
            keep(piece.substr(0, end == std::string_view::npos ? end : end + 1));
            if (end == std::string_view::npos) return State::going_on;
            if (line_ == wanted_) return State::found;
            if (line_ == "\n") return State::header_ended;
            line_.clear();
            piece.remove_prefix(end + 1);
        }
        return State::going_on;
    }

  private:
    // Of a line that is too long to be the wanted one, only so much is kept that it stays too long.
    void keep(std::string_view part) {
        const std::size_t room = wanted_.size() + 1 - std::min(line_.size(), wanted_.size() + 1);
        line_.append(part.substr(0, room));
    }

    std::string_view wanted_;
    std::string line_;
};

}  // namespace

std::string_view Message::read_piece(std::string& buffer, std::uint64_t offset) const {
    buffer.resize(static_cast<std::size_t>(std::min<std::uint64_t>(io_buffer_size, size_ - offset)));
    std::size_t have = 0;
    while (have < buffer.size()) {
        const ssize_t count =
            ::pread(fd_, buffer.data() + have, buffer.size() - have, static_cast<off_t>(offset + have));
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) cannot_read(errno);
        if (count == 0) cannot_read(EIO);  // shorter than it was said to be
        have += static_cast<std::size_t>(count);
    }
    return buffer;
}

std::string_view Message::start() const {
    if (start_.empty() && size_ > 0) read_piece(start_, 0);
    return start_;
}

void Message::each_piece(const std::function<void(std::string_view)>& use) const {
    const std::string_view first = start();
    if (!first.empty()) use(first);
    std::string buffer;
    for (std::uint64_t offset = first.size(); offset < size_; offset += buffer.size())
        use(read_piece(buffer, offset));
}

bool Message::header_has(std::string_view line) const {
    LineSearch search(line);
    auto state = search.feed(start());
    std::string buffer;
    for (std::uint64_t offset = start().size(); offset < size_ && state == LineSearch::State::going_on;
         offset += buffer.size())
        state = search.feed(read_piece(buffer, offset));
    return state == LineSearch::State::found;
}

Fd Message::copy() const {
    Fd file(::memfd_create("message", MFD_CLOEXEC));
    if (!file) throw_errno("make", "a copy of the message");
    each_piece([&](std::string_view piece) { write_all(file.get(), piece, Deadline::never()); });
    if (::lseek(file.get(), 0, SEEK_SET) != 0) throw_errno("rewind", "the copy of the message");
    return file;
}

}  // namespace relais::local
