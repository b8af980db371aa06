#include "pop3/multiline.h"

namespace relais::pop3 {

bool Multiline::add(std::string_view piece, std::string& out) {
    while (!piece.empty()) {
        if (!in_header_ && body_lines_ == 0) return false;
        const std::size_t end = piece.find('\n');
        const std::string_view part = piece.substr(0, end);
        if (!part.empty()) {
            if (line_empty_ && part.front() == '.') out += '.';
            out.append(part);
            only_cr_ = line_empty_ && part == "\r";
            line_empty_ = false;
            last_ = part.back();
        }
        if (end == std::string_view::npos) return true;
        end_line(out);
        piece.remove_prefix(end + 1);
    }
    return in_header_ || body_lines_ > 0;
}

void Multiline::end_line(std::string& out) {
    out.append(!line_empty_ && last_ == '\r' ? "\n" : "\r\n");
    if (!in_header_)
        --body_lines_;
    else if (line_empty_ || only_cr_)
        in_header_ = false;
    line_empty_ = true;
    only_cr_ = false;
    last_ = '\n';
}

void Multiline::finish(std::string& out) {
    if (!line_empty_) out.append("\r\n");
    out.append(".\r\n");
}

}  // namespace relais::pop3
