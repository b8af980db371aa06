// The DATA decoder against the plainest possible reading of RFC 5321, 4.5.2, octet by octet, with the input
// cut into pieces as the first octet says. They must agree about the text, the end, and what is refused. The
// same for the chunks of BDAT (RFC 3030), which have no end of their own.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "smtpd/data.h"

namespace {

using namespace relais;

// Without normalising: where CRLF "." CRLF ends the data (npos: nowhere), from the start of the text.
std::size_t end_of_data(std::string_view input) {
    if (input.starts_with(".\r\n")) return 3;
    const std::size_t at = input.find("\r\n.\r\n");
    return at == std::string_view::npos ? at : at + 5;
}

bool has_bare(std::string_view text) {
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\n' && (i == 0 || text[i - 1] != '\r')) return true;
        if (text[i] == '\r' && i + 1 < text.size() && text[i + 1] != '\n') return true;
    }
    return false;
}

std::string plain_text(std::string_view data) {
    std::string text;
    bool line_start = true;
    for (const char c : data) {
        if (line_start && c == '.') {
            line_start = false;
            continue;
        }
        line_start = c == '\n';
        if (c != '\r') text += c;
    }
    return text;
}

void check_counted(std::string_view input, std::size_t piece) {
    smtpd::DataDecoder decoder(false, smtpd::DataDecoder::Form::counted);
    std::string text;
    std::string part;  // as the session has it
    for (std::size_t used = 0; used < input.size(); used += piece) {
        part.clear();
        if (decoder.decode(input.substr(used, piece), part) != std::min(piece, input.size() - used))
            std::abort();
        text += part;
    }
    part.clear();
    decoder.end(part);
    text += part;
    if (decoder.ended()) std::abort();
    const bool cut_off = input.ends_with('\r');
    if (decoder.bare() != (has_bare(input) || cut_off)) std::abort();
    if (decoder.bare()) return;
    std::string expected;
    for (const char c : input)
        if (c != '\r') expected += c;
    if (!expected.empty() && expected.back() != '\n') expected += '\n';
    if (text != expected) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::size_t piece = data[0] % 16 + 1;
    const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
    for (const bool normalise : {false, true}) {
        smtpd::DataDecoder decoder(normalise);
        std::string text;
        std::size_t used = 0;
        while (used < input.size() && !decoder.ended())
            used += decoder.decode(input.substr(used, piece), text);
        if (text.size() > used || text.find('\r') != std::string::npos) std::abort();
        if (normalise) {
            if (decoder.bare()) std::abort();
            continue;
        }
        const std::size_t end = end_of_data(input);
        if (decoder.ended() != (end != std::string_view::npos)) std::abort();
        if (decoder.ended() && used != end) std::abort();
        if (decoder.bare() != has_bare(input.substr(0, used))) std::abort();
        if (decoder.ended() && !decoder.bare() && text != plain_text(input.substr(0, end - 3))) std::abort();
    }
    check_counted(input, piece);
    return 0;
}
