// qmail-setup makes, checks and repairs an instance: control files, queue, alias, run scripts.
//
//   qmail-setup DIR --me NAME [--domain DOMAIN] [--smtp-port P] [--pop3-port P] [--submission-port P] [--submissions-port P]
//       [--listen ADDRESS]... [--user NAME] [--admin ADDRESS]
//   qmail-setup --check DIR
//   qmail-setup --repair DIR
//
// As root it makes a system instance (users that are missing are made with useradd --system), or with --user
// one that belongs to that user alone; an ordinary user gets an instance of his own. It trusts its command
// line, and nothing that another user may have put into an instance: it follows no link but those that root
// made in root's own directories, gives nothing to a role that is neither root's nor a role's, and becomes
// the owner of a directory that is not root's before it opens a file there (setup/tree.h, control/enter.h).
// It never overwrites.
//
// Exit codes: 0 done, or nothing wrong; 1 --check found something, or --repair could not mend all; 100 wrong
// usage or refused; 111 the system failed.

#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>

#include "base/command_line.h"
#include "base/error.h"
#include "control/enter.h"
#include "control/tool.h"
#include "setup/create.h"
#include "setup/inspect.h"
#include "setup/programs.h"
#include "setup/request.h"
#include "setup/secrets.h"

namespace relais::setup {
namespace {

// As deep as the directories of an instance are, and one more.
constexpr int rounds = 5;

struct Options {
    Request request;
    bool check = false;
    bool repair = false;
};

void say(const std::string& text) {
    std::puts(text.c_str());
}

int make_instance(const Request& request) {
    std::vector<std::string> report;
    Plan plan = plan_of_request(request, report);
    for (const std::string& line : report) say(line);
    create(plan);
    say("made " + request.directory + " for " + request.me);
    say("start it: qmailctl start " + request.directory);
    return 0;
}

// Mends what can be mended. False if that was nothing.
bool mend(const std::vector<Finding>& findings) {
    bool any = false;
    for (const Finding& finding : findings) {
        if (!finding.mend) continue;
        try {
            finding.mend();
            say("mended: " + finding.text);
            any = true;
        } catch (const std::exception& error) {
            say("not mended: " + finding.text + ": " + error.what());  // the others can be
        }
    }
    return any;
}

int look_at(const Options& options) {
    const control::Home home = control::enter(control::Home(options.request.directory), group_of_user);
    if (::access(home.control_file("owners").c_str(), F_OK) != 0) {
        if (errno != ENOENT) throw_errno("look at", home.control_file("owners"));
        throw_permanent(home.control_file("owners") +
                        " is missing: either there is no instance (qmail-setup " + options.request.directory +
                        " --me NAME makes one), or bring that file back");
    }
    if (options.repair) {
        std::vector<std::string> report;
        add_roles(home, report);
        for (const std::string& line : report) say(line);
    }
    const Plan plan = plan_of_instance(home);
    std::vector<Finding> findings = inspect(plan);
    // A directory that can be entered again shows what is wrong in it.
    for (int round = 0; options.repair && round < rounds && mend(findings); ++round) findings = inspect(plan);
    bool well = true;
    for (const Finding& finding : findings) {
        say((finding.note ? "note: " : "") + finding.text +
            (finding.unseen ? ": " + std::string(control::run_as_root) : ""));
        well = well && finding.note;
    }
    if (well) say(options.request.directory + " is as it must be");
    return well ? 0 : 1;
}

void add_request(CommandLine& line, Request& request) {
    line.option("DIR", request.directory, "the instance; its QMAILHOME").required();
    line.option("--me", request.me, "this host's full name");
    line.option("--domain", request.domain,
                "of the users' addresses: for locals, rcpthosts, accounts and what is sent from here");
    line.option("--smtp-port", request.port, "port of the SMTP server (25; 2525 for an ordinary user)")
        .in_range(1, 65535);
    line.option("--pop3-port", request.pop3_port,
                "port of the POP3 server (110; 2110 for an ordinary user); 0: no POP3 server")
        .in_range(0, 65535);
    line.option("--pop3s-port", request.pop3s_port,
                "the same with TLS from the first octet (995; 2995 for an ordinary user); 0: none")
        .in_range(0, 65535);
    line.option("--submission-port", request.submission_port,
                "port of the submission server (587; 2587 for an ordinary user); 0: none")
        .in_range(0, 65535);
    line.option("--submissions-port", request.submissions_port,
                "the same with TLS from the first octet (465; 2465 for an ordinary user); 0: none")
        .in_range(0, 65535);
    line.option("--listen", request.listen,
                "address to listen on (repeatable; default 0: all of both families)");
    line.option("--user", request.user, "make an instance that belongs to this user alone");
    line.option("--numbers", request.numbers, "roles by number from here on, without users in /etc/passwd");
    line.option("--admin", request.admin, "address that gets mail for root, postmaster and mailer-daemon");
    line.flag("--own-listener", request.own_listener, "our own listeners in place of tcpserver");
}

int setup(const Arguments& arguments) {
    Options options;
    CommandLine line("Makes, checks and repairs a mail instance.", "qmail-setup");
    add_request(line, options.request);
    line.flag("--check", options.check, "name everything wrong");
    line.flag("--repair", options.repair, "mend it");
    if (const auto code = line.parse(arguments)) return *code;
    ::umask(022);
    hold_programs();
    std::string& directory = options.request.directory;
    directory = std::filesystem::weakly_canonical(std::filesystem::absolute(directory));
    return options.check || options.repair ? look_at(options) : make_instance(options.request);
}

}  // namespace
}  // namespace relais::setup

int main(int argc, char** argv) {
    return relais::control::run_tool("qmail-setup", argc, argv, relais::setup::setup,
                                     relais::control::Instance::in_arguments);
}
