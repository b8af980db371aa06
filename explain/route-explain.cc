// route-explain ADDRESS [--from SENDER] [--json] [--no-dns]: what happens to mail for an address, step by
// step, and what is wrong there.
//
// It goes the way of a recipient in the queue by the code of qmail-send, qmail-lspawn, qmail-local and
// qmail-remote, and delivers nothing. Trust: for the administrator; as root it looks users up as qmailp and
// into a home directory as its owner, and never parses DNS: qmail-resolver does, the instance's or, where
// none runs, one that it starts for itself. What users and DNS say is made safe for a terminal. Exit codes: 0
// mail for it gets there; 1 it bounces or waits; 100 wrong usage; 111 the system failed.
#include <unistd.h>

#include "base/command_line.h"
#include "base/io.h"
#include "control/tool.h"
#include "explain/route.h"

namespace {

using namespace relais;

int work(const Arguments& arguments) {
    std::string address;
    std::string sender;
    bool json = false;
    bool no_dns = false;
    CommandLine line("Says what happens to mail for an address, and what is wrong with its way.",
                     "route-explain");
    line.option("ADDRESS", address, "user@domain, as in an envelope").required();
    line.flag("--json", json, "print one JSON object");
    line.flag("--no-dns", no_dns, "ask no DNS");
    line.option("--from", sender, "the sender, for control/authsenders");
    if (const auto code = line.parse(arguments)) return *code;
    const auto report = explain::explain_route(control::Home::from_environment(), address, {!no_dns, sender});
    write_all(STDOUT_FILENO, json ? explain::route_json(report) : explain::route_text(report),
              Deadline::never());
    return report.fate == explain::Fate::local || report.fate == explain::Fate::remote ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    return control::run_tool("route-explain", argc, argv, work);
}
