// splogger [tag [facility]] puts the lines of its standard input into syslog: the logger that a /var/qmail/rc
// names behind qmail-start.
//
// Trust: run by qmail-start as qmaill, or by anybody. Inputs: lines of any length; tag (default: splogger)
// stands before each entry, facility is a number (default: 2, mail). syslog promises nothing: entries are
// lost while nobody listens at /dev/log.
//
// Exit codes: 0 at the end of the input; 100 wrong usage; 111 the input cannot be read.
#include <fmt/core.h>
#include <syslog.h>
#include <unistd.h>

#include <vector>

#include "base/error.h"
#include "base/io.h"
#include "base/program.h"
#include "base/text.h"
#include "base/time.h"
#include "family/log_lines.h"

namespace {

using namespace relais;

constexpr std::uint64_t facility_limit = 23;

int facility_of(const Arguments& arguments) {
    if (arguments.size() < 2) return LOG_MAIL;
    const auto number = parse_number(arguments[1]);
    if (arguments.size() > 2 || !number || *number > facility_limit)
        throw_permanent("usage: splogger [ tag [ facility ] ], the facility a number from 0 to 23");
    return static_cast<int>(*number) << 3;
}

std::string stamp() {
    const std::uint64_t now = now_microseconds();
    return fmt::format("{}.{:06}", now / 1000000, now % 1000000);
}

int splogger(const Arguments& arguments) {
    const int facility = facility_of(arguments);
    const std::string tag = arguments.empty() ? "splogger" : arguments[0];
    ::openlog(tag.c_str(), 0, facility);
    family::LogLines lines(
        [](int priority, const std::string& text) { ::syslog(priority, "%s", text.c_str()); }, stamp);
    std::vector<char> buffer(io_buffer_size);
    while (const std::size_t count = read_some(STDIN_FILENO, buffer, Deadline::never()))
        lines.add({buffer.data(), count});
    lines.finish();
    return static_cast<int>(Exit::success);
}

}  // namespace

int main(int argc, char** argv) {
    return relais::run_program("splogger", argc, argv, splogger);
}
