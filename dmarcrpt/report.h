// An aggregate report of DMARC (RFC 9990; RFC 7489, appendix C): what servers have seen of mail in a domain's
// name. Reports that come are from anybody: pure functions with limits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "packed/unpack.h"

namespace relais::dmarcrpt {

using packed::Complaint;

// What one method found.
struct AuthResult {
    std::string domain{};
    std::string detail{};  // DKIM's selector, SPF's scope
    std::string result{};

    bool operator==(const AuthResult&) const = default;
    auto operator<=>(const AuthResult&) const = default;
};

// So many messages of one address, which all fared alike.
struct Row {
    std::string ip{};
    std::uint64_t count = 0;
    std::string disposition{};
    std::string dkim{}, spf{};                                   // aligned: "pass", "fail"
    std::vector<std::pair<std::string, std::string>> reasons{};  // type, comment
    std::string header_from{}, envelope_from{}, envelope_to{};
    std::vector<AuthResult> dkim_results{}, spf_results{};

    bool passes() const { return dkim == "pass" || spf == "pass"; }
};

struct Report {
    std::string organization{}, contact{}, id{};
    std::uint64_t begin = 0, end = 0;  // seconds since 1970
    std::vector<std::string> errors{};
    std::string domain{};  // whose record was published
    std::string p{}, sp{}, np{}, adkim{}, aspf{}, testing{};
    std::vector<Row> rows{};

    std::uint64_t messages() const;
    std::uint64_t passed() const;
};

// Octets of a file, as it came; elements within one another; octets of the text of one element; results,
// reasons or errors in one list.
inline constexpr std::size_t file_limit = std::size_t{32} << 20;
inline constexpr int depth_limit = 16;
inline constexpr std::size_t text_limit = 1024;
inline constexpr std::size_t list_limit = 100;

// How much is still read: of one file, or of all that are looked at together.
struct Room {
    std::size_t octets;  // of XML, also of what is then no report
    std::size_t rows;
    std::size_t items;  // results, reasons and errors
};
inline constexpr Room room_of_file{std::size_t{32} << 20, 100'000, 200'000};
inline constexpr Room room_of_all{std::size_t{256} << 20, 300'000, 600'000};

// The XML, in any namespace. Elements that are missing are empty, those that are not known are passed over. A
// document type is a reason to refuse: it can define entities. The room is less afterwards by what was read.
std::variant<Report, Complaint> parse_xml(std::string_view xml, Room& room);

// The XML of a report as RFC 9990 has it; what no XML may have is '?'.
std::string to_xml(const Report& report);

struct Found {
    std::vector<Report> reports{};
    std::string trouble{};  // what is wrong with some of the file, or all of it
};
// The reports in a file: XML, packed by gzip or zip or not, or a message that is one or has one attached.
// What is bad keeps nothing else from being told.
Found read_reports(std::string_view file, Room& room);

}  // namespace relais::dmarcrpt
