// route-explain ADDRESS [--from SENDER] [--json] [--no-dns] [--message FILE] [--size N] [--smtputf8]
// [--8bit] [--dsn] [--requiretls] [--by SECONDS] [--priority N] [--probe]: what happens to mail for an
// address, step by step, what is wrong there, and what a message with these properties would meet.
//
// It goes the way of a recipient in the queue by the code of qmail-send, qmail-lspawn, qmail-local and
// qmail-remote, and delivers nothing. Trust: for the administrator; as root it looks users up as qmailp and
// into a home directory as its owner, and never parses DNS: qmail-resolver does, the instance's or, where
// none runs, one that it starts for itself. Servers are asked (--probe) by a process that is qmailr and
// confined. What users, DNS and servers say is made safe for a terminal. Exit codes: 0 mail for it gets
// there; 1 it bounces or waits; 100 wrong usage; 111 the system failed.
#include <unistd.h>

#include "base/command_line.h"
#include "base/error.h"
#include "base/io.h"
#include "control/tool.h"
#include "explain/route.h"
#include "mail/transfer.h"

namespace {

using namespace relais;

int work(const Arguments& arguments) {
    std::string address;
    std::string sender;
    bool json = false;
    bool no_dns = false;
    bool probe = false;
    std::string file;
    std::string priority;
    explain::MessageTraits message;
    CommandLine line("Says what happens to mail for an address, and what is wrong with its way.",
                     "route-explain");
    line.option("ADDRESS", address, "user@domain, as in an envelope").required();
    line.flag("--json", json, "print one JSON object");
    line.flag("--no-dns", no_dns, "ask no DNS");
    line.option("--from", sender, "the sender, for control/authsenders");
    line.option("--message", file, "a message: what it would meet");
    line.option("--size", message.size, "of a message with so many octets");
    line.flag("--smtputf8", message.smtputf8, "that came with SMTPUTF8");
    line.flag("--8bit", message.eight_bit, "that has octets above 127");
    line.flag("--dsn", message.dsn, "that asks for reports on its delivery");
    line.option("--by", message.by, "that is to be delivered within so many seconds");
    line.option("--priority", priority, "with that priority (MT-PRIORITY), -9 to 9");
    line.flag("--requiretls", message.requiretls, "that came with REQUIRETLS");
    line.flag("--probe", probe, "ask the servers what they offer");
    if (const auto code = line.parse(arguments)) return *code;
    if (!priority.empty()) {
        const auto number = mail::parse_priority(priority);
        if (!number) throw_permanent("a priority is a number from -9 to 9: " + priority);
        message.priority = *number;
    }
    if (!file.empty()) explain::read_traits(file, message);
    explain::RouteOptions options{!no_dns, sender};
    options.probe = probe;
    if (!file.empty() || message.size > 0 || message.smtputf8 || message.eight_bit || message.dsn ||
        message.requiretls || message.by > 0 || message.priority != 0)
        options.message = message;
    const auto report = explain::explain_route(control::Home::from_environment(), address, options);
    write_all(STDOUT_FILENO, json ? explain::route_json(report) : explain::route_text(report),
              Deadline::never());
    return report.fate == explain::Fate::local || report.fate == explain::Fate::remote ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    return control::run_tool("route-explain", argc, argv, work);
}
