// For tests: what a strict server makes of the octets after DATA, and what a message should have become.
// Written without a look at DataEncoder, as the other side would.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace relais::remote {

// The message between DATA and the final dot; nothing if the first final dot is not the end of all, or a CR
// or LF is bare.
inline std::optional<std::string> decode_data(std::string_view wire) {
    std::string message;
    for (;;) {
        const std::size_t end = wire.find("\r\n");
        if (end == std::string_view::npos) return std::nullopt;
        std::string_view line = wire.substr(0, end);
        wire.remove_prefix(end + 2);
        if (line.find_first_of("\r\n") != std::string_view::npos) return std::nullopt;
        if (line == ".") return wire.empty() ? std::optional(message) : std::nullopt;
        if (line.starts_with('.')) line.remove_prefix(1);
        message.append(line).append("\r\n");
    }
}

// CR LF, LF and CR each end a line, and the last line ends.
inline std::string with_mended_line_ends(std::string_view message) {
    std::string mended;
    for (std::size_t i = 0; i < message.size(); ++i) {
        if (message[i] == '\r' && i + 1 < message.size() && message[i + 1] == '\n') ++i;
        if (message[i] == '\r' || message[i] == '\n')
            mended += "\r\n";
        else
            mended += message[i];
    }
    if (!mended.empty() && !mended.ends_with("\r\n")) mended += "\r\n";
    return mended;
}

}  // namespace relais::remote
