// tls-report FILE... [--json]: what others report of TLS with our servers (SMTP TLS reporting, RFC 8460): for
// each domain and policy how many sessions were encrypted and how many failed, why, and what to do.
//
// A file is a report as it came: the message, the gzip file in it, or its JSON; "-" is standard input. Trust:
// the files are from anybody. They are read first, and unpacked and parsed by pure functions with limits in a
// process that may open nothing more; what is shown of them is safe for a terminal. Exit codes: 0 nothing has
// failed; 1 something has; 100 wrong usage; 111 a file is no report or cannot be read.
#include <fcntl.h>
#include <unistd.h>

#include "base/command_line.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/io.h"
#include "control/cages.h"
#include "control/tool.h"
#include "tlsrpt/words.h"

namespace {

using namespace relais;

std::string read_file(const std::string& path) {
    const Fd file(path == "-" ? ::dup(STDIN_FILENO) : ::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) throw_errno("open", path);
    std::string content = read_to_end(file.get(), tlsrpt::file_limit + 1, Deadline::never());
    if (content.size() > tlsrpt::file_limit) throw_errno("read", path, EFBIG);
    return content;
}

int work(const Arguments& arguments) {
    std::vector<std::string> files;
    bool json = false;
    CommandLine line("Says what others report of TLS with our servers.", "tls-report");
    line.option("FILE", files, "reports as they came: messages, gzip or JSON; - is standard input")
        .required();
    line.flag("--json", json, "print one JSON object");
    if (const auto code = line.parse(arguments)) return *code;
    std::vector<std::string> contents;
    for (const std::string& file : files) contents.push_back(read_file(file));
    control::enter(control::mail_verify_cage, control::Home::from_environment());
    std::vector<tlsrpt::Report> reports;
    bool complete = true;
    for (std::size_t i = 0; i < contents.size(); ++i) {
        auto found = tlsrpt::read_reports(contents[i]);
        if (auto* complaint = std::get_if<tlsrpt::Complaint>(&found)) {
            log_line("unable to use " + files[i] + ": " + complaint->text);
            complete = false;
            continue;
        }
        for (tlsrpt::Report& report : std::get<std::vector<tlsrpt::Report>>(found))
            reports.push_back(std::move(report));
    }
    write_all(STDOUT_FILENO, json ? tlsrpt::json_of(reports) : tlsrpt::text_of(reports), Deadline::never());
    if (!complete) return static_cast<int>(Exit::temporary);
    for (const tlsrpt::Report& report : reports)
        if (report.failures() > 0) return 1;
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    return control::run_tool("tls-report", argc, argv, work);
}
