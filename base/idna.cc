#include "base/idna.h"

#include <algorithm>
#include <cstdint>

#include "base/text.h"
#include "base/utf8.h"

namespace relais {
namespace {

using Codes = std::u32string;

char32_t small_letter(char32_t code) {
    const auto within = [code](char32_t from, char32_t to) { return code >= from && code <= to; };
    if (within('A', 'Z') || (within(0xc0, 0xde) && code != 0xd7) || within(0x391, 0x3a9) ||
        within(0x410, 0x42f))
        return code + 32;
    if (within(0x400, 0x40f)) return code + 80;
    if (within(0x100, 0x12f) || within(0x132, 0x137) || within(0x14a, 0x177)) return code | 1;
    if (within(0x139, 0x148)) return code + (code & 1);
    return code;
}

// RFC 3492, 6.1.
std::uint32_t adapted(std::uint32_t delta, std::uint32_t points, bool first) {
    delta = first ? delta / 700 : delta / 2;
    delta += delta / points;
    std::uint32_t k = 0;
    for (; delta > 455; k += 36) delta /= 35;
    return k + 36 * delta / (delta + 38);
}

void append_number(std::string& out, std::uint32_t number, std::uint32_t bias) {
    for (std::uint32_t k = 36;; k += 36) {
        const std::uint32_t threshold = k <= bias ? 1 : std::min<std::uint32_t>(k - bias, 26);
        const std::uint32_t digit =
            number < threshold ? number : threshold + (number - threshold) % (36 - threshold);
        out += static_cast<char>(digit < 26 ? 'a' + digit : '0' + digit - 26);
        if (number < threshold) return;
        number = (number - threshold) / (36 - threshold);
    }
}

// RFC 3492, 6.3. At most 63 characters, so that nothing overflows.
std::string punycode(const Codes& codes) {
    std::string out;
    for (const char32_t code : codes)
        if (code < 0x80) out += static_cast<char>(code);
    const auto basic = static_cast<std::uint32_t>(out.size());
    if (basic > 0) out += '-';
    std::uint32_t next = 0x80, delta = 0, bias = 72;
    for (std::uint32_t done = basic; done < codes.size(); ++delta, ++next) {
        char32_t least = 0x10ffff;
        for (const char32_t code : codes)
            if (code >= next) least = std::min(least, code);
        delta += (static_cast<std::uint32_t>(least) - next) * (done + 1);
        next = static_cast<std::uint32_t>(least);
        for (const char32_t code : codes) {
            if (code < next) ++delta;
            if (code != next) continue;
            append_number(out, delta, bias);
            bias = adapted(delta, done + 1, done == basic);
            delta = 0;
            ++done;
        }
    }
    return out;
}

bool is_plain(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

std::string ascii_label(std::string_view label) {
    Codes codes;
    for (std::string_view rest = label; !rest.empty();) {
        const auto code = take_utf8(rest);
        if (!code || codes.size() == 63) return lower(label);
        codes += small_letter(*code);
    }
    const std::string ascii = "xn--" + punycode(codes);
    return ascii.size() <= 63 ? ascii : lower(label);
}

}  // namespace

std::string ascii_domain(std::string_view domain) {
    if (is_plain(domain)) return lower(domain);
    std::string result;
    bool first = true;
    for (const std::string_view label : split(domain, '.')) {
        if (!first) result += '.';
        first = false;
        result += is_plain(label) ? lower(label) : ascii_label(label);
    }
    return result;
}

std::string ascii_domain_of(std::string_view address) {
    std::string_view domain = address.substr(address.rfind('@') + 1);
    if (domain.ends_with('.')) domain.remove_suffix(1);
    return ascii_domain(domain);
}

std::string dns_spelling(std::string_view domain) {
    return is_plain(domain) ? std::string(domain) : ascii_domain(domain);
}

std::string comparable(std::string_view address) {
    if (is_plain(address)) return lower(address);
    const std::size_t domain = address.rfind('@') + 1;
    return lower(address.substr(0, domain)) + ascii_domain(address.substr(domain));
}

}  // namespace relais
