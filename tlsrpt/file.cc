// Where a report stands in a file: alone, packed, or in a message.
#include <zlib.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"
#include "mail/header.h"
#include "sasl/base64.h"
#include "tlsrpt/report.h"

namespace relais::tlsrpt {
namespace {

constexpr std::string_view gzip_magic = "\x1f\x8b";
constexpr std::size_t header_limit = std::size_t{256} << 10;
constexpr std::size_t parts_limit = 1000;
constexpr std::size_t reports_limit = 20;

std::variant<Report, Complaint> parse_data(std::string_view data) {
    if (!data.starts_with(gzip_magic)) return parse_report(data);
    auto unpacked = unpack(data, json_limit);
    if (auto* complaint = std::get_if<Complaint>(&unpacked)) return std::move(*complaint);
    return parse_report(std::get<std::string>(unpacked));
}

// What matters of the header of a message, or of a part.
struct Head {
    bool is_report = false;
    bool base64 = false;
    std::size_t size = 0;  // with the empty line
};

Head head_of(std::string_view text) {
    mail::HeaderReader reader(header_limit);
    Head head;
    if (reader.add(text.substr(0, header_limit)) == mail::HeaderReader::State::more) reader.finish();
    for (const std::string& field : reader.fields()) {
        const auto name = mail::field_name(field);
        if (!name) continue;
        const std::string body = lower(mail::field_body(field));
        if (equal_ignoring_case(*name, "Content-Type"))
            head.is_report =
                trim(body).starts_with("application/tlsrpt") ||
                (body.find(".json.gz") != std::string::npos && trim(body).starts_with("application/"));
        if (equal_ignoring_case(*name, "Content-Transfer-Encoding")) head.base64 = trim(body) == "base64";
    }
    const std::size_t lf = text.find("\n\n");
    const std::size_t crlf = text.find("\n\r\n");
    head.size = std::min({lf == std::string_view::npos ? text.size() : lf + 2,
                          crlf == std::string_view::npos ? text.size() : crlf + 3, text.size()});
    return head;
}

// Where the next line that begins with "--" begins, or the end.
std::size_t next_boundary(std::string_view text) {
    if (text.starts_with("--")) return 0;
    const std::size_t found = text.find("\n--");
    return found == std::string_view::npos ? text.size() : found + 1;
}

std::variant<Report, Complaint> parse_part(std::string_view body, bool base64) {
    if (!base64) return parse_data(trim(body));
    std::string text(body);
    std::erase_if(text, [](char c) { return c == '\r' || c == '\n' || c == ' ' || c == '\t'; });
    const auto data = sasl::decode_base64(text);
    if (!data) return Complaint{"its base64 is none"};
    return parse_data(*data);
}

std::variant<std::vector<Report>, Complaint> read_message(std::string_view text) {
    std::vector<Report> reports;
    Complaint complaint{"it is no report, and no message that has one"};
    std::size_t parts = 0;
    while (!text.empty() && ++parts < parts_limit && reports.size() < reports_limit) {
        const Head head = head_of(text);
        text.remove_prefix(head.size);
        const std::size_t end = next_boundary(text);
        if (head.is_report) {
            auto parsed = parse_part(text.substr(0, end), head.base64);
            if (auto* report = std::get_if<Report>(&parsed))
                reports.push_back(std::move(*report));
            else
                complaint = std::get<Complaint>(parsed);
        }
        text.remove_prefix(end);
        // The boundary's own line.
        const std::size_t line = text.find('\n');
        text.remove_prefix(line == std::string_view::npos ? text.size() : line + 1);
    }
    if (reports.empty()) return complaint;
    return reports;
}

}  // namespace

std::variant<std::string, Complaint> unpack(std::string_view data, std::size_t limit) {
    z_stream stream{};
    constexpr int window_and_gzip = 15 + 16;
    if (inflateInit2(&stream, window_and_gzip) != Z_OK) return Complaint{"there is no memory to unpack it"};
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data()));
    stream.avail_in = static_cast<uInt>(std::min<std::size_t>(data.size(), file_limit));
    std::string out;
    std::array<char, 65536> buffer;
    int result = Z_OK;
    while (result == Z_OK && out.size() <= limit) {
        stream.next_out = reinterpret_cast<Bytef*>(buffer.data());
        stream.avail_out = static_cast<uInt>(buffer.size());
        result = inflate(&stream, Z_NO_FLUSH);
        out.append(buffer.data(), buffer.size() - stream.avail_out);
        if (result == Z_STREAM_END && stream.avail_in > 0) result = inflateReset(&stream);
        if (result == Z_OK && stream.avail_in == 0 && stream.avail_out > 0) break;
    }
    inflateEnd(&stream);
    if (out.size() > limit) return Complaint{"unpacked it is larger than any report is"};
    if (result != Z_STREAM_END) return Complaint{"its gzip is damaged or cut off"};
    return out;
}

std::variant<std::vector<Report>, Complaint> read_reports(std::string_view file) {
    const std::size_t begin = file.find_first_not_of(" \t\r\n");
    const bool bare = file.starts_with(gzip_magic) || (begin != std::string_view::npos && file[begin] == '{');
    if (!bare) return read_message(file);
    auto parsed = parse_data(file);
    if (auto* complaint = std::get_if<Complaint>(&parsed)) return std::move(*complaint);
    return std::vector<Report>{std::get<Report>(std::move(parsed))};
}

}  // namespace relais::tlsrpt
