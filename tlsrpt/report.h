// A report of others on TLS with our servers (SMTP TLS reporting, RFC 8460): what comes by mail or HTTPS. It
// is from anybody: pure functions with limits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "packed/unpack.h"

namespace relais::tlsrpt {

// What did not work, so often.
struct Failure {
    std::string result;  // RFC 8460, 4.3: "certificate-expired"
    std::uint64_t sessions = 0;
    std::string sending_ip{};
    std::string server{};  // the name of ours
    std::string server_ip{};
    std::string helo{};
    std::string reason{};       // failure-reason-code
    std::string information{};  // where there is more of it
};

struct PolicyResult {
    std::string type;    // "sts", "tlsa", "no-policy-found"
    std::string domain;  // ours
    std::vector<std::string> servers{};
    std::uint64_t successes = 0;
    std::uint64_t failures = 0;
    std::vector<Failure> details{};
};

struct Report {
    std::string organization{};
    std::string contact{};
    std::string id{};
    std::string begin{}, end{};  // RFC 3339
    std::vector<PolicyResult> policies{};

    std::uint64_t successes() const;
    std::uint64_t failures() const;
};

// Octets of a report when it is unpacked, of a file, and how many policies and details of one count.
inline constexpr std::size_t json_limit = std::size_t{8} << 20;
inline constexpr std::size_t file_limit = std::size_t{32} << 20;
inline constexpr std::size_t policies_limit = 1000;
inline constexpr std::size_t details_limit = 10000;

using packed::Complaint;

// The JSON of RFC 8460, 4.4. Members that are missing are empty; what is no object is none.
std::variant<Report, Complaint> parse_report(std::string_view json);
// The reports in a file: JSON, JSON packed by gzip, or a message that has such a part or is one (RFC
// 8460, 5.3).
std::variant<std::vector<Report>, Complaint> read_reports(std::string_view file);

}  // namespace relais::tlsrpt
