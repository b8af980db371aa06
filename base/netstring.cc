#include "base/netstring.h"

#include <algorithm>

#include "base/error.h"

namespace relais {
namespace {

// No length that is meant needs more.
constexpr int most_digits = 20;

}  // namespace

std::string netstring(std::string_view octets) {
    std::string text = std::to_string(octets.size());
    text.reserve(text.size() + octets.size() + 2);
    return text.append(1, ':').append(octets).append(1, ',');
}

std::string_view NetstringReader::available() {
    if (reader_.buffered().empty() && !reader_.fill(earlier(deadline_, Deadline::in(silence_))))
        throw Error(Reaction::temporary, "the input ended within a netstring", EPIPE);
    return reader_.buffered();
}

void NetstringReader::take(std::size_t count) {
    if (count > budget_) throw_permanent("a netstring is longer than what holds it");
    budget_ -= count;
    reader_.consume(count);
}

char NetstringReader::read_octet() {
    const char octet = available().front();
    take(1);
    return octet;
}

std::uint64_t NetstringReader::read_length() {
    std::uint64_t length = 0;
    for (int digits = 0;; ++digits) {
        const char c = read_octet();
        if (c == ':' && digits > 0) return length;
        if (c < '0' || c > '9' || digits == most_digits) throw_permanent("a netstring without a length");
        length = 10 * length + static_cast<std::uint64_t>(c - '0');
        if (length > budget_) throw_permanent("a netstring is longer than what may come");
    }
}

void NetstringReader::read_octets(std::uint64_t count, const std::function<void(std::string_view)>& use) {
    while (count > 0) {
        std::string_view piece = available();
        piece = piece.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), count)));
        use(piece);
        count -= piece.size();
        take(piece.size());
    }
}

void NetstringReader::read_comma() {
    if (read_octet() != ',') throw_permanent("a netstring is not ended by a comma");
}

std::optional<std::string> NetstringReader::read(std::size_t limit) {
    const std::uint64_t length = read_length();
    std::string text;
    read_octets(length, [&](std::string_view piece) {
        if (length <= limit) text += piece;
    });
    read_comma();
    if (length > limit) return std::nullopt;
    return text;
}

}  // namespace relais
