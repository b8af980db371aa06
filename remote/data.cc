#include "remote/data.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace relais::remote {
namespace {

// Longer than any line that a server takes (RFC 5321, 4.5.3.1.6).
constexpr std::size_t held_nuls_limit = 4096;

// Eight octets at a time: those that equal become zero, and a zero octet alone keeps its high bit clear.
std::uint64_t count_line_feeds(std::string_view data) {
    constexpr std::uint64_t low_bits = 0x7f7f7f7f7f7f7f7fU;
    constexpr std::uint64_t ones = 0x0101010101010101U;
    std::uint64_t count = 0;
    for (; data.size() >= sizeof(std::uint64_t); data.remove_prefix(sizeof(std::uint64_t))) {
        std::uint64_t word = 0;
        std::memcpy(&word, data.data(), sizeof word);
        word ^= ones * '\n';
        word = ~((((word & low_bits) + low_bits) | word) >> 7) & ones;
        count += (word * ones) >> 56;
    }
    for (const char c : data) count += c == '\n';
    return count;
}

}  // namespace

// A lone LF or CR grows by one octet, a pair does not.
void WireSize::feed(std::string_view piece) {
    if (piece.empty()) return;
    octets_ += piece.size() + count_line_feeds(piece);
    for (std::size_t at = piece.find('\r'); at != std::string_view::npos; at = piece.find('\r', at + 1)) {
        ++octets_;
        if (at + 1 < piece.size() && piece[at + 1] == '\n') octets_ -= 2;
    }
    if (last_ == '\r' && piece.front() == '\n') octets_ -= 2;
    last_ = piece.back();
}

// Takes NULs from the beginning of a line of which nothing else has come. How many octets.
std::size_t DataEncoder::take_nuls(std::string_view piece, std::string& out) {
    const std::size_t count = std::min(piece.find_first_not_of('\0'), piece.size());
    nuls_ += count;
    const bool go_on = count == piece.size();
    if (go_on && nuls_ < held_nuls_limit) return count;
    // RFC 5321, 4.5.2 has the receiver take the line's first octet away where that is a dot. Where too many
    // NULs had gone before it is not the first: better one dot too many than a message in a message.
    if (!go_on && piece[count] == '.') out += '.';
    out.append(nuls_, '\0');
    nuls_ = 0;
    return count;
}

void DataEncoder::encode(std::string_view piece, std::string& out) {
    if (piece.empty()) return;
    if (after_cr_ && piece.front() == '\n') piece.remove_prefix(1);
    after_cr_ = false;
    while (!piece.empty()) {
        if (at_line_start_ && (piece.front() == '\0' || in_nuls_)) {
            in_nuls_ = true;
            piece.remove_prefix(take_nuls(piece, out));
            if (piece.empty()) return;
            in_nuls_ = false;
        } else if (at_line_start_ && piece.front() == '.') {
            out += '.';
        }
        const std::size_t line_feed = piece.find('\n');
        const std::string_view line = piece.substr(0, line_feed);
        const std::size_t end = std::min(line.find('\r'), line.size());
        out.append(line.substr(0, end));
        at_line_start_ = false;
        if (end == piece.size()) return;
        out += "\r\n";
        at_line_start_ = true;
        const bool is_cr = piece[end] == '\r';
        piece.remove_prefix(end + 1);
        if (is_cr && piece.empty()) after_cr_ = true;
        if (is_cr && !piece.empty() && piece.front() == '\n') piece.remove_prefix(1);
    }
}

void DataEncoder::finish(std::string& out) {
    out.append(std::exchange(nuls_, 0), '\0');
    if (!at_line_start_ || in_nuls_) out += "\r\n";
    at_line_start_ = true;
    in_nuls_ = false;
    after_cr_ = false;
    out.append(final_dot);
}

void LineEnds::mend(std::string_view piece, std::string& out) {
    while (!piece.empty()) {
        if (std::exchange(after_cr_, false) && piece.front() == '\n') {
            piece.remove_prefix(1);
            continue;
        }
        const std::size_t end = std::min(piece.find_first_of("\r\n"), piece.size());
        out.append(piece.substr(0, end));
        in_line_ = in_line_ || end > 0;
        if (end == piece.size()) return;
        out += "\r\n";
        in_line_ = false;
        after_cr_ = piece[end] == '\r';
        piece.remove_prefix(end + 1);
    }
}

void LineEnds::finish(std::string& out) {
    if (in_line_) out += "\r\n";
    in_line_ = after_cr_ = false;
}

void HeaderLetters::feed(std::string_view piece) {
    for (const char c : piece) {
        if (ended_) return;
        if (c == '\n') {
            ended_ = line_is_empty_;
            line_is_empty_ = true;
        } else if (c != '\r') {
            line_is_empty_ = false;
            eight_bit_ = eight_bit_ || (static_cast<unsigned char>(c) & 0x80) != 0;
        }
    }
}

bool has_eight_bit(std::string_view data) {
    constexpr std::uint64_t high_bits = 0x8080808080808080U;
    while (data.size() >= sizeof(std::uint64_t)) {
        std::uint64_t word = 0;
        std::memcpy(&word, data.data(), sizeof word);
        if ((word & high_bits) != 0) return true;
        data.remove_prefix(sizeof word);
    }
    for (const char c : data)
        if ((static_cast<unsigned char>(c) & 0x80) != 0) return true;
    return false;
}

}  // namespace relais::remote
