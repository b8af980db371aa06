#include "remote/message.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "base/io.h"
#include "mail/header.h"
#include "remote/data.h"
#include "remote/requiretls.h"

namespace relais::remote {
namespace {

constexpr std::size_t keep_limit = 256 * 1024;

}  // namespace

bool Message::read(const std::function<bool(std::string_view)>& visit) const {
    std::vector<char> buffer(std::min<std::uint64_t>(io_buffer_size, size_));
    for (std::uint64_t done = 0; done < size_;) {
        const std::size_t wanted = std::min<std::uint64_t>(buffer.size(), size_ - done);
        const ssize_t count = ::pread(fd_, buffer.data(), wanted, static_cast<off_t>(offset_ + done));
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) throw_errno("read", "the message");
        if (count == 0) throw_errno("read", "the whole message", EPIPE);
        if (!visit({buffer.data(), static_cast<std::size_t>(count)})) return false;
        done += static_cast<std::uint64_t>(count);
    }
    return true;
}

const Message::Scan& Message::scan() {
    if (scanned_) return scan_;
    DataEncoder encoder;
    WireSize wire_size;
    HeaderLetters header;
    std::string out;
    const bool keep = size_ <= keep_limit;
    read([&](std::string_view block) {
        scan_.eight_bit = scan_.eight_bit || has_eight_bit(block);
        wire_size.feed(block);
        header.feed(block);
        if (keep) encoder.encode(block, out);
        return true;
    });
    if (keep) {
        encoder.finish(out);
        encoded_ = front_ + out;
    }
    scan_.eight_bit_header = header.eight_bit();
    scan_.wire_size = front_.size() + wire_size.octets();
    scanned_ = true;
    return scan_;
}

void Message::encode(const std::function<void(std::string_view, bool)>& visit) const {
    if (!encoded_.empty()) return visit(encoded_, true);
    if (!front_.empty()) visit(front_, false);
    DataEncoder encoder;
    std::string out;
    out.reserve(io_buffer_size + io_buffer_size / 8);
    std::uint64_t done = 0;
    read([&](std::string_view block) {
        encoder.encode(block, out);
        done += block.size();
        if (done == size_) return true;
        visit(out, false);
        out.clear();
        return true;
    });
    encoder.finish(out);
    visit(out, true);
}

void Message::read_wire(const std::function<bool(std::string_view)>& visit) const {
    LineEnds lines;
    std::string out;
    const bool whole = read([&](std::string_view block) {
        out.clear();
        lines.mend(block, out);
        return visit(out);
    });
    if (!whole) return;
    out.clear();
    lines.finish(out);
    visit(out);
}

bool Message::needs_no_tls() const {
    constexpr std::size_t header_limit = std::size_t{1} << 20;
    mail::HeaderReader header(header_limit);
    auto state = mail::HeaderReader::State::more;
    read([&](std::string_view block) {
        state = header.add(block);
        return state == mail::HeaderReader::State::more;
    });
    if (state == mail::HeaderReader::State::more) state = header.finish();
    return state == mail::HeaderReader::State::done && tls_is_not_required(header.fields());
}

void Message::precede_with(std::string fields, std::string name) {
    front_ = std::move(fields);
    signed_by_ = std::move(name);
    scanned_ = false;
    scan_ = {};
    encoded_.clear();
}

MessageInput message_input(int fd) {
    struct stat status {};
    const off_t offset = ::lseek(fd, 0, SEEK_CUR);
    if (offset >= 0 && ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode))
        return {Fd(), fd, static_cast<std::uint64_t>(offset),
                static_cast<std::uint64_t>(std::max<off_t>(status.st_size - offset, 0))};
    Fd copy(::memfd_create("message", MFD_CLOEXEC));
    if (!copy) throw_errno("create", "a copy of the message in memory");
    std::vector<char> buffer(io_buffer_size);
    std::uint64_t size = 0;
    while (const std::size_t count = read_some(fd, buffer, Deadline::never())) {
        write_all(copy.get(), {buffer.data(), count}, Deadline::never());
        size += count;
    }
    const int number = copy.get();
    return {std::move(copy), number, 0, size};
}

}  // namespace relais::remote
