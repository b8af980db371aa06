// qmail-showctl says what the control files of $QMAILHOME mean: every file there is, its value, whether that
// comes from the file or is the default, and what is wrong. With --check it says only what is wrong.
//
// Anybody may run it; it reads and changes nothing. As root it also tells what other users cannot read.
//
// Exit codes: 0 shown, or with --check nothing wrong; 1 with --check: something is wrong; 100 wrong usage;
// 111 there is no control directory.

#include <unistd.h>

#include <algorithm>

#include "base/io.h"
#include "base/program.h"
#include "control/inspect.h"
#include "control/tool.h"
#include "remote/route_check.h"
#include "tls/own_certificates.h"

namespace relais::control {
namespace {

constexpr std::size_t lines_shown = 50;

std::string describe(const Finding& finding) {
    return finding.file + ": " + (finding.warning ? "warning: " : "note: ") + finding.text + "\n";
}

std::string origin(const ShownFile& file) {
    if (file.from_file) return "control/" + std::string(file.row->name);
    return file.row->me_default ? "default, from me" : "default";
}

std::string describe(const ShownFile& file) {
    std::string text = std::string(file.row->name) + ": ";
    if (file.row->kind == FileKind::database || file.row->kind == FileKind::pem)
        text += file.from_file ? "there" : "none";
    else if (file.lines.size() == 1)
        text += file.lines.front().empty() ? "(empty)" : file.lines.front();
    else
        text += file.lines.empty() ? "(nothing)" : std::to_string(file.lines.size()) + " lines";
    text += " (" + origin(file) + ")\n    " + std::string(file.row->reader) + ": " +
            std::string(file.row->meaning) + "\n";
    if (file.lines.size() < 2) return text;
    for (std::size_t i = 0; i < std::min(file.lines.size(), lines_shown); ++i)
        text += "        " + file.lines[i] + "\n";
    if (file.lines.size() > lines_shown)
        text += "        and " + std::to_string(file.lines.size() - lines_shown) + " more\n";
    return text;
}

std::string report(const Home& home, const Inspection& inspection) {
    std::string text = "qmail home directory: " + home.directory() + ".\n";
    for (const ShownFile& file : inspection.files) {
        text += "\n" + describe(file);
        for (const Finding& finding : inspection.findings)
            if (finding.file == "control/" + std::string(file.row->name)) text += "    " + describe(finding);
    }
    std::string rest;
    for (const Finding& finding : inspection.findings)
        if (!finding.file.starts_with("control/") || find_control_file(finding.file.substr(8)) == nullptr)
            rest += describe(finding);
    return rest.empty() ? text : text + "\n" + rest;
}

int show(const Arguments& arguments) {
    const bool check = arguments.size() == 1 && arguments.front() == "--check";
    if (!arguments.empty() && !check) {
        log_line("usage: qmail-showctl [ --check ]");
        return static_cast<int>(Exit::permanent);
    }
    const Home home = Home::from_environment();
    Inspection inspection = inspect(home);
    for (tls::CertificateProblem& problem : tls::check_certificates(home))
        inspection.findings.push_back({std::move(problem.file), problem.warning, std::move(problem.text)});
    for (Finding& finding : remote::check_route_files(home))
        inspection.findings.push_back(std::move(finding));
    if (!check) {
        write_all(STDOUT_FILENO, report(home, inspection), Deadline::never());
        return 0;
    }
    std::string text;
    bool wrong = false;
    for (const Finding& finding : inspection.findings) {
        text += describe(finding);
        wrong = wrong || finding.warning;
    }
    write_all(STDOUT_FILENO, text, Deadline::never());
    return wrong ? 1 : 0;
}

}  // namespace
}  // namespace relais::control

int main(int argc, char** argv) {
    return relais::control::run_tool("qmail-showctl", argc, argv, relais::control::show);
}
