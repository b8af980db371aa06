// Where a report stands in a file: alone, packed, or in a message.
#include <algorithm>
#include <utility>

#include "packed/message_parts.h"
#include "tlsrpt/report.h"

namespace relais::tlsrpt {
namespace {

constexpr std::size_t reports_limit = 20;

// What may come out of the packed parts of one file together.
constexpr std::size_t unpacked_limit = 4 * json_limit;

std::variant<Report, Complaint> parse_data(std::string_view data, std::size_t& room) {
    if (!data.starts_with(packed::gzip_magic)) return parse_report(data);
    std::size_t for_this = std::min(json_limit, room);
    room -= for_this;
    auto unpacked = packed::gunzip(data, for_this);
    room += for_this;
    if (auto* complaint = std::get_if<Complaint>(&unpacked)) return std::move(*complaint);
    return parse_report(std::get<std::string>(unpacked));
}

bool is_report(const packed::Part& part) {
    return part.type.starts_with("application/tlsrpt") ||
           (part.type.find(".json.gz") != std::string::npos && part.type.starts_with("application/"));
}

std::variant<Report, Complaint> parse_part(const packed::Part& part, std::size_t& room) {
    const auto data = packed::octets_of(part);
    if (!data) return Complaint{"its base64 is none"};
    return parse_data(*data, room);
}

std::variant<std::vector<Report>, Complaint> read_message(std::string_view text) {
    std::vector<Report> reports;
    std::size_t room = unpacked_limit;
    Complaint complaint{"it is no report, and no message that has one"};
    for (const packed::Part& part : packed::parts_of(text)) {
        if (!is_report(part) || reports.size() >= reports_limit) continue;
        auto parsed = parse_part(part, room);
        if (auto* report = std::get_if<Report>(&parsed))
            reports.push_back(std::move(*report));
        else
            complaint = std::get<Complaint>(parsed);
    }
    if (reports.empty()) return complaint;
    return reports;
}

}  // namespace

std::variant<std::vector<Report>, Complaint> read_reports(std::string_view file) {
    const std::size_t begin = file.find_first_not_of(" \t\r\n");
    const bool bare =
        file.starts_with(packed::gzip_magic) || (begin != std::string_view::npos && file[begin] == '{');
    if (!bare) return read_message(file);
    std::size_t room = unpacked_limit;
    auto parsed = parse_data(file, room);
    if (auto* complaint = std::get_if<Complaint>(&parsed)) return std::move(*complaint);
    return std::vector<Report>{std::get<Report>(std::move(parsed))};
}

}  // namespace relais::tlsrpt
