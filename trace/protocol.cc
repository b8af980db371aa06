#include "trace/protocol.h"

#include <algorithm>

#include "base/octets.h"
#include "base/text.h"

namespace relais::trace {
namespace {

constexpr std::size_t length_size = 4;
constexpr std::size_t time_size = 8;

void add_text(std::string& to, std::string_view text) {
    const std::size_t at = to.size();
    to += text.substr(0, value_limit);
    std::replace(to.begin() + static_cast<std::ptrdiff_t>(at), to.end(), '\0', '_');
    to += '\0';
}

void add_pair(std::string& to, std::string_view name, std::string_view value) {
    if (to.size() + name.size() + std::min(value.size(), value_limit) + 2 > record_limit) return;
    add_text(to, name);
    add_text(to, value);
}

void add_field(std::string& to, std::string_view name, std::uint64_t number) {
    add_pair(to, name, std::to_string(number));
}
void add_field(std::string& to, std::string_view name, std::string_view text) {
    add_pair(to, name, text);
}
void add_field(std::string& to, std::string_view name, Event::List list) {
    for (const std::string& text : list.first(std::min(list.size(), list_values))) add_pair(to, name, text);
}

std::string begin_record(std::string_view kind, std::uint64_t time) {
    std::string record(length_size, '\0');
    append_le(record, time, time_size);
    add_text(record, kind);
    return record;
}

std::string end_record(std::string record) {
    put_le(record.data(), record.size() - length_size, length_size);
    return record;
}

// The text up to its NUL, which is taken too; nothing without one.
std::optional<std::string_view> take_text(std::string_view& from) {
    const std::size_t end = from.find('\0');
    if (end == std::string_view::npos || end > value_limit) return std::nullopt;
    const std::string_view text = from.substr(0, end);
    from.remove_prefix(end + 1);
    return text;
}

std::optional<Record> decode_record(std::string_view octets) {
    if (octets.size() < time_size) return std::nullopt;
    Record record;
    record.time = get_le(octets, 0, time_size);
    octets.remove_prefix(time_size);
    const auto kind = take_text(octets);
    if (!kind || kind->empty()) return std::nullopt;
    record.kind = *kind;
    while (!octets.empty()) {
        const auto name = take_text(octets);
        const auto value = name ? take_text(octets) : std::nullopt;
        if (!value || name->empty() || record.fields.size() >= fields_limit) return std::nullopt;
        record.fields.emplace_back(*name, *value);
    }
    return record;
}

}  // namespace

std::string_view Record::field(std::string_view name) const {
    for (const auto& [known, value] : fields)
        if (known == name) return value;
    return "";
}

std::uint64_t Record::number(std::string_view name) const {
    return parse_number(field(name)).value_or(0);
}

std::string encode(const Event& event, std::uint64_t time) {
    std::string record = begin_record(event.name(), time);
    for (const Event::Field& field : event.fields())
        std::visit([&](const auto& value) { add_field(record, field.name, value); }, field.value);
    return end_record(std::move(record));
}

std::string encode(const Record& record) {
    std::string octets = begin_record(record.kind, record.time);
    for (const auto& [name, value] : record.fields) add_pair(octets, name, value);
    return end_record(std::move(octets));
}

std::optional<std::vector<Record>> decode(std::string_view packet) {
    std::vector<Record> records;
    while (!packet.empty()) {
        if (packet.size() < length_size) return std::nullopt;
        const std::size_t size = get_le(packet, 0, length_size);
        packet.remove_prefix(length_size);
        if (size > packet.size() || size > record_limit) return std::nullopt;
        auto record = decode_record(packet.substr(0, size));
        if (!record) return std::nullopt;
        records.push_back(*std::move(record));
        packet.remove_prefix(size);
    }
    return records;
}

}  // namespace relais::trace
