#include "send/control_protocol.h"

#include <array>
#include <cerrno>

#include "base/error.h"
#include "base/text.h"
#include "base/unix_socket.h"

namespace relais::send {
namespace {

struct VerbRow {
    ControlVerb verb;
    std::string_view word;
    bool has_message;
};
constexpr std::array<VerbRow, 12> verbs = {{{ControlVerb::hold, "hold", true},
                                            {ControlVerb::release, "release", true},
                                            {ControlVerb::retry, "retry", true},
                                            {ControlVerb::remove, "delete", true},
                                            {ControlVerb::bounce, "bounce", true},
                                            {ControlVerb::flush, "flush", false},
                                            {ControlVerb::stat, "stat", false},
                                            {ControlVerb::why, "why", true},
                                            {ControlVerb::running, "running", false},
                                            {ControlVerb::rules, "rules", false},
                                            {ControlVerb::handover, "handover", false},
                                            {ControlVerb::cut, "cut", true}}};
constexpr std::size_t answer_line_limit = 8192;

}  // namespace

std::string encode(const ControlRequest& request) {
    for (const VerbRow& row : verbs) {
        if (row.verb != request.verb) continue;
        std::string line(row.word);
        if (row.has_message) line.append(" ").append(std::to_string(request.message));
        return line;
    }
    return {};
}

std::optional<ControlRequest> decode_control_request(std::string_view line) {
    const std::size_t space = line.find(' ');
    for (const VerbRow& row : verbs) {
        if (row.word != line.substr(0, space)) continue;
        if (!row.has_message)
            return space == std::string_view::npos ? std::optional(ControlRequest{row.verb, 0})
                                                   : std::nullopt;
        if (space == std::string_view::npos) return std::nullopt;
        const auto message = parse_number(line.substr(space + 1));
        if (!message) return std::nullopt;
        return ControlRequest{row.verb, *message};
    }
    return std::nullopt;
}

bool has_text(ControlVerb verb) {
    return verb == ControlVerb::stat || verb == ControlVerb::why || verb == ControlVerb::running ||
           verb == ControlVerb::rules || verb == ControlVerb::cut;
}

std::string encode(const ControlAnswer& answer, bool has_text) {
    if (!answer.ok) {
        std::string line = "error " + answer.text;
        for (char& c : line)
            if (c == '\n') c = '/';
        return line + "\n";
    }
    if (!has_text) return "ok\n";
    std::string out;
    for (std::string_view line : split(answer.text, '\n')) {
        if (line.data() + line.size() == answer.text.data() + answer.text.size() && line.empty()) break;
        if (line.starts_with('.')) out += '.';
        out.append(line).append("\n");
    }
    return out + ".\n";
}

ControlClient::ControlClient(const control::Home& home, Deadline deadline)
    : socket_(connect_unix(home.socket("send-control"), deadline)), reader_(socket_.get()) {}

ControlAnswer ControlClient::ask(const ControlRequest& request, Deadline deadline, std::size_t text_limit) {
    write_all(socket_.get(), encode(request) + "\n", deadline);
    const bool wants_text = has_text(request.verb);
    ControlAnswer answer;
    std::string line;
    bool full = false;
    for (;;) {
        line.clear();
        if (reader_.read_line(line, answer_line_limit, deadline) != Reader::Line::complete)
            throw_errno("read the answer of", "qmail-send", ECONNRESET);
        // A text never begins with "error ": stat and why indent nothing and start their lines with other
        // words.
        if (answer.text.empty() && line.starts_with("error ")) return {false, line.substr(6)};
        if (!wants_text || line == ".") {
            answer.ok = wants_text || line == "ok";
            return answer;
        }
        full = full || answer.text.size() + line.size() >= text_limit;
        if (!full) answer.text.append(line, line.starts_with('.') ? 1 : 0).append("\n");
    }
}

}  // namespace relais::send
