// dmarc-report FILE... [--json]: who sends in our name, by the aggregate reports of DMARC that others send us
// (RFC 9990, RFC 7489).
//
// A file is a report as it came: the message, the gzip or zip in it, or its XML; "-" is standard input.
// Trust: the files are from anybody. They are read first, and unpacked and parsed by pure functions with
// limits in a process that may open nothing more; what is shown of them is safe for a terminal. What is bad
// of them keeps nothing else from being told.
//
// dmarc-report send [--print]: sends such reports to domains that ask for them, on mail that came here
// (control/dmarcreports). Run by root or the instance's one user; qmail-console asks so every few minutes, a
// timer of the system may. What strangers caused to be kept is read by a process that has become qmailt in a
// cage (dmarcrpt/sending.cc).
//
// Exit codes: 0; 1 mail in our name has not passed; 100 wrong usage; 111 a file, or some of it, is no report
// or cannot be read, or reports have to wait: they are tried again an hour later.
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/command_line.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/io.h"
#include "control/cages.h"
#include "control/tool.h"
#include "dmarcrpt/sending.h"
#include "dmarcrpt/words.h"

namespace {

using namespace relais;

// Octets of all files together, as they came.
constexpr std::size_t total_limit = std::size_t{128} << 20;
// What is not read after so long is not read any more.
constexpr Seconds patience{120};

struct Input {
    std::string name;
    std::string content;
};

std::string read_file(const std::string& path, std::size_t limit, Deadline deadline) {
    // Other people's folders may have pipes, which hold up whoever opens or reads them.
    constexpr int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;
    const Fd file(path == "-" ? ::dup(STDIN_FILENO) : ::open(path.c_str(), flags));
    if (!file) throw_errno("open", path);
    struct stat status {};
    if (::fstat(file.get(), &status) != 0) throw_errno("look at", path);
    if (path != "-" && !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode))
        throw Error(Reaction::permanent, "it is no plain file; what comes by a pipe is read as -");
    return read_to_end(file.get(), limit, deadline);
}

void complain(const std::string& name, std::string_view why) {
    log_line("unable to use " + name + ": " + std::string(why));
}

// False if some cannot be read.
bool read_files(const std::vector<std::string>& names, Deadline deadline, std::vector<Input>& inputs) {
    bool complete = true;
    std::size_t room = total_limit;
    for (const std::string& name : names) {
        try {
            inputs.push_back({name, read_file(name, std::min(room, dmarcrpt::file_limit), deadline)});
            room -= inputs.back().content.size();
        } catch (const Error& error) {
            complain(name, error.what());
            complete = false;
        }
    }
    return complete;
}

// Empties inputs. False if something of them is bad.
bool parse_files(std::vector<Input>& inputs, Deadline deadline, std::vector<dmarcrpt::Report>& reports) {
    bool complete = true;
    dmarcrpt::Room room = dmarcrpt::room_of_all;
    for (Input& input : inputs) {
        dmarcrpt::Found found;
        if (deadline.passed())
            found.trouble = "those before it took too long; give fewer files at a time";
        else
            found = dmarcrpt::read_reports(input.content, room);
        std::string().swap(input.content);
        if (!found.trouble.empty()) complain(input.name, found.trouble);
        complete = complete && found.trouble.empty();
        for (auto& report : found.reports) reports.push_back(std::move(report));
    }
    return complete;
}

// All of it, or somebody has taken over a process that reads.
constexpr unsigned most_seconds = 1200;
static_assert(most_seconds < dmarcrpt::retry_seconds, "two would be at it");

int send(const Arguments& arguments) {
    bool print = false;
    CommandLine line("Sends reports on mail in their name to domains that ask for them (DMARC).",
                     "dmarc-report send");
    line.flag("--print", print, "say what would be sent, and send nothing");
    if (const auto code = line.parse(arguments)) return *code;
    ::alarm(most_seconds);
    const auto how = print ? dmarcrpt::Sending::print : dmarcrpt::Sending::due;
    const bool complete = dmarcrpt::send_reports(control::Home::from_environment(), how);
    return complete ? 0 : static_cast<int>(Exit::temporary);
}

int work(const Arguments& arguments) {
    if (!arguments.empty() && arguments.front() == "send")
        return send(Arguments(arguments.begin() + 1, arguments.end()));

    std::vector<std::string> files;
    bool json = false;
    CommandLine line("Says who sends in our name, by the reports of others (DMARC).", "dmarc-report");
    line.option("FILE", files, "reports as they came: messages, gzip, zip or XML; - is standard input")
        .required();
    line.flag("--json", json, "print one JSON object");
    if (const auto code = line.parse(arguments)) return *code;
    const Deadline deadline = Deadline::in(patience);
    std::vector<Input> inputs;
    bool complete = read_files(files, deadline, inputs);
    ::tzset();  // it opens a file, and whoever writes a time calls it
    control::enter(control::mail_verify_cage, control::Home::from_environment());
    std::vector<dmarcrpt::Report> reports;
    complete = parse_files(inputs, deadline, reports) && complete;
    write_all(STDOUT_FILENO, json ? dmarcrpt::json_of(reports) : dmarcrpt::text_of(reports),
              Deadline::never());
    if (!complete) return static_cast<int>(Exit::temporary);
    for (const auto& report : reports)
        if (report.passed() != report.messages()) return 1;
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    return control::run_tool("dmarc-report", argc, argv, work);
}
