#include "net/dns_name.h"

#include <algorithm>

#include "base/text.h"

namespace relais::net {
namespace {

bool is_name_octet(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '/';
}

void append_label(std::string& text, std::string_view label) {
    for (const char c : label) {
        if (is_name_octet(c)) {
            text += c;
            continue;
        }
        const auto octet = static_cast<unsigned char>(c);
        text += '\\';
        for (const int unit : {100, 10, 1}) text += static_cast<char>('0' + octet / unit % 10);
    }
}

}  // namespace

bool is_askable_name(std::string_view name) {
    if (name.ends_with('.')) name.remove_suffix(1);
    if (name.empty() || name.size() > 253) return false;
    const auto labels = split(name, '.');
    return std::all_of(labels.begin(), labels.end(), [](std::string_view label) {
        return !label.empty() && label.size() <= 63 && std::all_of(label.begin(), label.end(), is_name_octet);
    });
}

std::optional<WireName> parse_wire_name(std::string_view rdata) {
    WireName name{"", 0};
    while (name.size < rdata.size() && name.size < 255) {
        const auto length = static_cast<unsigned char>(rdata[name.size]);
        ++name.size;
        if (length == 0) return name;
        if (length > 63 || length > rdata.size() - name.size) return std::nullopt;
        if (!name.text.empty()) name.text += '.';
        append_label(name.text, rdata.substr(name.size, length));
        name.size += length;
    }
    return std::nullopt;
}

}  // namespace relais::net
