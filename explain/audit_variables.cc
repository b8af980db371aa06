// The variables that rules set: names that nothing reads, and a QMAILQUEUE that cannot be run.
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/text.h"
#include "control/owners.h"
#include "explain/audit.h"
#include "explain/plain.h"

namespace relais::explain {
namespace {

// What qmail-smtpd, its listener, tcpserver, rblsmtpd and the tools around them read.
constexpr std::array known_variables = {
    "RELAYCLIENT", "DATABYTES", "FIXCRIO",       "REFUSENUL",     "QMAILQUEUE",   "SUBMISSION", "PERIP",
    "RBLSMTPD",    "OPENSMTP",  "TCPREMOTEHOST", "TCPREMOTEINFO", "TCPLOCALHOST", "MAXRCPTTO",  "TARPITCOUNT",
    "TARPITDELAY", "BADHELO",   "SPFBEHAVIOR",   "GREETDELAY",    "FROMDOMAINS"};
// A name that differs by so much was meant to be the other one.
constexpr std::size_t slip = 2;
constexpr std::size_t first_line_limit = 256;

// How many letters must be changed, added or taken away (Levenshtein).
std::size_t edits(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = std::exchange(row[0], i);
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, changed}));
        }
    }
    return row.back();
}

// The variable that was meant; empty for one that may be for a filter of the administrator's.
std::string meant(const std::string& name) {
    for (const std::string known : known_variables)
        if (name == known || name == "TCP6" + known.substr(std::min<std::size_t>(3, known.size()))) return "";
    for (const std::string known : known_variables)
        if (edits(name, known) <= slip) return known;
    return "";
}

bool may(const struct stat& info, const control::Owner& who, mode_t bits) {
    const unsigned shift = info.st_uid == who.uid ? 6 : info.st_gid == who.gid ? 3 : 0;
    return ((info.st_mode >> shift) & bits) == bits;
}

// The interpreter in the first line of a script; empty for another program, and for what cannot be read.
std::string interpreter_of(const std::string& path) {
    const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!file) return "";
    std::array<char, first_line_limit> buffer{};
    const std::size_t size = read_some(file.get(), buffer, Deadline::never());
    std::string_view line(buffer.data(), size);
    if (!line.starts_with("#!")) return "";
    line = trim(line.substr(2, line.find('\n') - 2));
    return std::string(line.substr(0, line.find_first_of(" \t")));
}

// Why the filters' user cannot run it; empty if he can.
std::string trouble_of(const std::string& path, const control::Owner& who) {
    if (!path.starts_with('/')) return "";
    struct stat info {};
    for (std::size_t slash = path.find('/', 1); slash != std::string::npos;
         slash = path.find('/', slash + 1)) {
        const std::string parent = path.substr(0, slash);
        if (::stat(parent.c_str(), &info) != 0) return parent + ": " + errno_text(errno);
        if (!may(info, who, 1)) return parent + " is closed to the user of filters";
    }
    if (::stat(path.c_str(), &info) != 0) return errno_text(errno);
    if (!S_ISREG(info.st_mode)) return "it is no program";
    if (!may(info, who, 1)) return "the user of filters may not run it";
    const std::string interpreter = interpreter_of(path);
    if (!interpreter.empty() && ::stat(interpreter.c_str(), &info) != 0)
        return "its interpreter " + interpreter + ": " + errno_text(errno);
    return "";
}

}  // namespace

void audit_variables(const control::Home& home, const RulesOfServer& rules,
                     std::vector<AuditFinding>& findings) {
    if (!rules.text) return;
    const control::Owner runner = control::Owners::read_incomplete(home).of(control::Role::qmailf);
    for (const tcprules::TextLine& line : rules.text->lines()) {
        if (line.rule() == nullptr) continue;
        const std::string place = fmt::format("{} line {} \"{}\"", line.file, line.number, plain(line.text));
        for (const auto& [name, value] : line.decision().variables) {
            if (const std::string other = meant(name); !other.empty())
                findings.push_back({Level::wrong,
                                    fmt::format("{} sets {}, which nothing reads", place, plain(name)),
                                    fmt::format("if {} is meant: mend the line, then qmailctl cdb", other)});
            if (name != "QMAILQUEUE" || value.empty()) continue;
            if (const std::string trouble = trouble_of(value, runner); !trouble.empty())
                findings.push_back(
                    {Level::wrong,
                     fmt::format("{}: the filter cannot be run: {}: clients are told to try later", place,
                                 plain(trouble)),
                     fmt::format("mend {}, or take QMAILQUEUE out", plain(value))});
        }
    }
}

}  // namespace relais::explain
