#include "smtpd/data.h"

namespace relais::smtpd {
namespace {

constexpr std::size_t held_returns_limit = 1024;

}  // namespace

void DataDecoder::end_line(std::string& out) {
    if (place_ == Place::after_dot) {
        ended_ = true;
    } else {
        out += '\n';
        place_ = new_line_;
    }
}

// Says what the CRs were that came before an LF, or before another octet.
void DataDecoder::resolve_returns(bool line_feed, std::string& out) {
    const std::size_t returns = returns_;
    returns_ = 0;
    if (line_feed && place_ == Place::after_dot && returns > 1) {
        // Only one of them belongs to this LF: a server behind us may see no end here.
        bare_ = !normalise_;
        place_ = Place::in_line;
    }
    if (line_feed) return end_line(out);
    if (normalise_)
        out.append(returns, '\n');
    else
        bare_ = true;
    place_ = Place::in_line;
}

// Looks at the first octet of a line, or at the first after its dot.
std::size_t DataDecoder::decode_line_start(std::string_view rest) {
    if (place_ == Place::line_start && rest.front() == '.') {
        place_ = Place::after_dot;
        return 1;
    }
    if (place_ == Place::after_dot && rest.front() == '\r') {
        returns_ = 1;
        return 1;
    }
    // A bare LF after the dot: the end for those who may, else text like any other.
    if (place_ == Place::after_dot && rest.front() == '\n' && normalise_) {
        ended_ = true;
        return 1;
    }
    place_ = Place::in_line;
    return 0;
}

// rest begins within a line; line_feed is where the next LF is in it (npos: not here).
std::size_t DataDecoder::decode_in_line(std::string_view rest, std::size_t line_feed, std::string& out) {
    const std::string_view text = rest.substr(0, line_feed);
    const std::size_t carriage_return = text.find('\r');
    if (carriage_return != std::string_view::npos) {
        out.append(text.substr(0, carriage_return));
        if (carriage_return + 1 == line_feed) {
            end_line(out);
            return line_feed + 1;
        }
        returns_ = 1;
        return carriage_return + 1;
    }
    out.append(text);
    if (line_feed == std::string_view::npos) return rest.size();
    if (normalise_) {
        end_line(out);
    } else {
        bare_ = true;
    }
    return line_feed + 1;
}

std::size_t DataDecoder::decode(std::string_view input, std::string& out) {
    std::size_t at = 0;
    // Where the next LF is: looked for once per line, however many CRs the line has.
    std::size_t line_feed = 0;
    bool known = false;
    while (at < input.size() && !ended_) {
        if (returns_ > 0) {
            if (input[at] == '\r') {
                // Held back without an end, a gigabyte of them would count as nothing, and then take a
                // gigabyte.
                if (!normalise_ || returns_ == held_returns_limit) resolve_returns(false, out);
                ++returns_;
                ++at;
            } else if (input[at] == '\n') {
                resolve_returns(true, out);
                ++at;
            } else {
                resolve_returns(false, out);
            }
        } else if (place_ != Place::in_line) {
            at += decode_line_start(input.substr(at));
        } else {
            if (!known || (line_feed != std::string_view::npos && line_feed < at))
                line_feed = input.find('\n', at);
            known = true;
            at += decode_in_line(input.substr(at),
                                 line_feed == std::string_view::npos ? line_feed : line_feed - at, out);
        }
    }
    if (!out.empty()) within_ = out.back() != '\n';
    return at;
}

void DataDecoder::end(std::string& out) {
    if (new_line_ == Place::line_start) return;
    if (returns_ > 0) {
        resolve_returns(false, out);
        within_ = !out.ends_with('\n');
    }
    if (within_) out += '\n';
    within_ = false;
}

}  // namespace relais::smtpd
