// Where reports stand in a file: alone, packed, or in a message.
#include <algorithm>
#include <optional>
#include <utility>

#include "dmarcrpt/report.h"
#include "packed/message_parts.h"

namespace relais::dmarcrpt {
namespace {

constexpr std::size_t reports_limit = 20;

// One file, while it is read.
struct Reading {
    Room room;
    std::size_t tries = reports_limit;  // parts that are unpacked, be they reports or not
    Found found{};

    void complain(std::string_view text) {
        if (found.trouble.empty()) found.trouble = text;
    }
};

// The files that octets are or hold; nothing after a complaint.
std::vector<std::string> unpacked(std::string_view data, Reading& reading) {
    if (data.starts_with(packed::gzip_magic)) {
        auto file = packed::gunzip(data, reading.room.octets);
        if (auto* whole = std::get_if<std::string>(&file)) return {std::move(*whole)};
        reading.complain(std::get<Complaint>(file).text);
        return {};
    }
    if (data.starts_with(packed::zip_magic)) {
        auto files = packed::unzip(data, reading.room.octets);
        if (auto* several = std::get_if<std::vector<std::string>>(&files)) return std::move(*several);
        reading.complain(std::get<Complaint>(files).text);
        return {};
    }
    if (data.size() > reading.room.octets) {
        reading.complain("it is longer than any report is");
        return {};
    }
    reading.room.octets -= data.size();
    return {std::string(data)};
}

// Adds what octets are: XML, or packed XML.
void add_octets(std::string_view data, Reading& reading) {
    for (const std::string& file : unpacked(data, reading)) {
        if (reading.found.reports.size() >= reports_limit)
            return reading.complain("it has more reports than are read of one file");
        auto parsed = parse_xml(file, reading.room);
        if (auto* complaint = std::get_if<Complaint>(&parsed))
            reading.complain(complaint->text);
        else
            reading.found.reports.push_back(std::get<Report>(std::move(parsed)));
    }
}

// Senders give such a part many types; what is in it decides.
bool may_be_report(const packed::Part& part, std::string_view octets) {
    if (octets.starts_with(packed::gzip_magic) || octets.starts_with(packed::zip_magic)) return true;
    const auto says = [&](std::string_view word) {
        return part.type.find(word) != std::string::npos || part.disposition.find(word) != std::string::npos;
    };
    return octets.starts_with("<") && (says("xml") || octets.starts_with("<?xml"));
}

void read_message(std::string_view text, Reading& reading) {
    for (const packed::Part& part : packed::parts_of(text)) {
        const auto octets = packed::octets_of(part);
        if (!octets && part.type.starts_with("application/")) reading.complain("its base64 is none");
        if (!octets || !may_be_report(part, *octets)) continue;
        if (reading.tries-- == 0) return reading.complain("it has more parts than are read of one file");
        add_octets(*octets, reading);
    }
    if (reading.found.reports.empty()) reading.complain("it is no report, and no message that has one");
}

void take(std::size_t& from, std::size_t had, std::size_t left) {
    from -= std::min(from, had - left);
}

}  // namespace

Found read_reports(std::string_view file, Room& room) {
    const Room had{std::min(room.octets, room_of_file.octets), std::min(room.rows, room_of_file.rows),
                   std::min(room.items, room_of_file.items)};
    Reading reading{had};
    std::string_view text = file;
    text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
    if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
    if (file.starts_with(packed::gzip_magic) || file.starts_with(packed::zip_magic))
        add_octets(file, reading);
    else if (text.starts_with("<"))
        add_octets(text, reading);
    else
        read_message(file, reading);
    take(room.octets, had.octets, reading.room.octets);
    take(room.rows, had.rows, reading.room.rows);
    take(room.items, had.items, reading.room.items);
    return std::move(reading.found);
}

}  // namespace relais::dmarcrpt
