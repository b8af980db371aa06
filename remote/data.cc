#include "remote/data.h"

#include <cstring>

namespace relais::remote {

void DataEncoder::encode(std::string_view piece, std::string& out) {
    if (piece.empty()) return;
    if (after_cr_ && piece.front() == '\n') piece.remove_prefix(1);
    after_cr_ = false;
    while (!piece.empty()) {
        if (at_line_start_ && piece.front() == '.') {
            out += '.';
            ++added_dots_;
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
    if (!at_line_start_) out += "\r\n";
    at_line_start_ = true;
    after_cr_ = false;
    out.append(final_dot);
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
