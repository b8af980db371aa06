// qmailctl drives an instance as administrators expect.
//
//   qmailctl start|stop|restart|reload|stat|top|queue|flush|cdb|doctor|version [--json] [DIR]
//   qmailctl doctor --internet [--address A]... [--domain D]... [--json] [DIR]
//
// DIR is the instance, $QMAILHOME or /var/qmail without it; status is another word for stat. It talks to
// supervise (svc), or to systemd where that keeps the instance; if nobody looks after it, start starts
// svscan. It is run by root, or by the one user whose the instance is. In a directory that is not root's it
// becomes its owner first (control/enter.h), and it runs no program from there but what supervise runs. top
// shows what strangers chose: it gives root up for qmailm (setup/top_door.h).
//
// Exit codes: 0 done; 1 a service is down (stat), or something is worth a look (doctor); 2 something does not
// work (doctor); 100 wrong usage; 111 it did not work.

#include <cstdio>
#include <filesystem>

#include "base/command_line.h"
#include "base/error.h"
#include "base/version.h"
#include "control/enter.h"
#include "control/tool.h"
#include "setup/databases.h"
#include "setup/doctor.h"
#include "setup/internet.h"
#include "setup/programs.h"
#include "setup/running.h"
#include "setup/status.h"
#include "setup/top.h"

namespace relais::setup {
namespace {

int cdb(const Plan& plan) {
    compile_databases(plan);
    return 0;
}

struct Examination {
    bool json = false;
    bool internet = false;
    InternetOptions options{};
};

int doctor(const Plan& plan, const Examination& asked) {
    Report report(asked.json ? Report::Format::json : Report::Format::text);
    if (asked.internet)
        look_at_internet(plan, asked.options, report);
    else
        examine(plan, report);
    report.finish();
    return report.code();
}

struct Verb {
    const char* name;
    int (*run)(const Plan&);
    const char* help;
};
constexpr Verb verbs[] = {
    {"start", start, "start everything"},
    {"stop", stop, "end everything"},
    {"restart", restart, "end and start the services; deliveries that run go on"},
    {"reload", reload, "make qmail-send read its control files again"},
    {"stat", status, "which services are up, and how much is in the queue"},
    {"status", status, "the same"},
    {"top", [](const Plan& plan) { return top(plan.home); },
     "show what flows now, again and again, until q is typed"},
    {"queue", list_queue, "list the queue"},
    {"flush", flush, "try everything in the queue now"},
    {"cdb", cdb, "compile tcp.smtp, users/assign, users/passwd and control/morercpthosts"},
};

// The plan of the instance, entered.
Plan enter(std::string directory) {
    if (directory.empty()) directory = control::Home::from_environment().directory();
    directory = std::filesystem::weakly_canonical(std::filesystem::absolute(directory));
    hold_programs();
    const control::Home home = control::enter(control::Home(directory), group_of_user);
    ::setenv("QMAILHOME", home.directory().c_str(), 1);
    return plan_of_instance(home);
}

int control_instance(const Arguments& arguments) {
    CommandLine line("Drives a mail instance.", "qmailctl");
    line.takes_one(CommandLine::Subcommand::required);
    std::string directory;
    Examination asked;
    const auto subcommand = [&](const char* name, const char* help) {
        Command sub = line.subcommand(name, help);
        sub.option("DIR", directory, "the instance ($QMAILHOME, else /var/qmail)");
        return sub;
    };
    std::vector<std::pair<Command, const Verb*>> subs;
    for (const Verb& verb : verbs) subs.emplace_back(subcommand(verb.name, verb.help), &verb);
    Command examination = subcommand("doctor", "look at everything, and say what is wrong and what to do");
    examination.flag("--json", asked.json, "as JSON");
    examination.flag("--internet", asked.internet, "how others see it: DNS, signatures, certificate");
    examination.option("--address", asked.options.addresses, "with --internet: an address that others see")
        .one_value_each();
    examination.option("--domain", asked.options.domains, "with --internet: a domain, in the place of all")
        .one_value_each();
    const Command release = line.subcommand("version", "which relais this is");
    if (const auto code = line.parse(arguments)) return *code;
    if (release.given()) {
        std::puts(("relais " + std::string(version())).c_str());
        return 0;
    }
    if (!asked.internet && !(asked.options.addresses.empty() && asked.options.domains.empty()))
        throw_permanent("--address and --domain go with --internet");
    const Plan plan = enter(directory);
    if (examination.given()) return doctor(plan, asked);
    for (const auto& [sub, verb] : subs)
        if (sub.given()) return verb->run(plan);
    return static_cast<int>(Exit::permanent);
}

}  // namespace
}  // namespace relais::setup

int main(int argc, char** argv) {
    return relais::control::run_tool("qmailctl", argc, argv, relais::setup::control_instance,
                                     relais::control::Instance::in_arguments);
}
