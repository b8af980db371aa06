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

#include <arpa/inet.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <optional>

#include "base/command_line.h"
#include "base/error.h"
#include "control/enter.h"
#include "control/tool.h"
#include "setup/create.h"
#include "setup/inspect.h"
#include "setup/programs.h"
#include "setup/secrets.h"

namespace relais::setup {
namespace {

// As deep as the directories of an instance are, and one more.
constexpr int rounds = 5;

struct Options {
    std::string directory;
    std::string me;
    std::string domain;
    std::string user;
    std::string admin;
    std::vector<std::string> listen;
    unsigned port = 0;
    std::optional<unsigned> pop3_port;
    std::optional<unsigned> pop3s_port;
    std::optional<unsigned> submission_port;
    std::optional<unsigned> submissions_port;
    unsigned numbers = 0;
    bool own_listener = false;
    bool check = false;
    bool repair = false;
};

void say(const std::string& text) {
    std::puts(text.c_str());
}

Identity choose_identity(const Options& options, std::vector<std::string>& report) {
    if (::geteuid() != 0) {
        if (!options.user.empty() || options.numbers != 0)
            throw_permanent("only root can make an instance for somebody else");
        return identity_of_user(::geteuid(), ::getegid());
    }
    if (options.numbers != 0) return identity_of_numbers(options.numbers);
    if (options.user.empty()) return identity_of_system(options.directory, report);
    const struct passwd* entry = ::getpwnam(options.user.c_str());
    if (entry == nullptr) throw_permanent("there is no user " + options.user);
    return identity_of_user(entry->pw_uid, entry->pw_gid);
}

bool is_address(const std::string& text) {
    unsigned char octets[16];
    return text == "0" || ::inet_pton(AF_INET, text.c_str(), octets) == 1 ||
           ::inet_pton(AF_INET6, text.c_str(), octets) == 1;
}

// An ordinary user gets a port above 1023.
unsigned choose_port(const Options& options, unsigned port) {
    return ::geteuid() == 0 && options.user.empty() ? port : port == 25 ? 2525 : 2000 + port;
}

std::vector<Listen> choose_listen(const Options& options, unsigned port) {
    std::vector<Listen> all;
    for (const std::string& address :
         options.listen.empty() ? std::vector<std::string>{"0"} : options.listen) {
        if (!is_address(address)) throw_permanent("this is not an address to listen on: " + address);
        all.push_back({address == "::" ? "0" : address, port});
    }
    return all;
}

void refuse_odd_names(const Options& options) {
    constexpr std::string_view plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_";
    if (options.me.empty() || options.me.find_first_not_of(plain) != std::string::npos)
        throw_permanent("--me must be this host's full name, as in mail.example.org");
    if (options.domain.find_first_not_of(plain) != std::string::npos)
        throw_permanent("--domain must be one domain, as in example.org");
    if (options.admin.find_first_of("\n\r") != std::string::npos)
        throw_permanent("--admin must be one address");
}

int make_instance(const Options& options) {
    refuse_odd_names(options);
    std::vector<std::string> report;
    Plan plan{control::Home(options.directory),
              choose_identity(options, report),
              options.me,
              options.admin,
              choose_listen(options, options.port != 0 ? options.port : choose_port(options, 25)),
              options.own_listener,
              options.domain};
    const unsigned pop3_port = options.pop3_port.value_or(choose_port(options, 110));
    if (pop3_port != 0) plan.pop3 = choose_listen(options, pop3_port);
    const unsigned pop3s_port = options.pop3s_port.value_or(choose_port(options, 995));
    if (pop3s_port != 0) plan.pop3s = choose_listen(options, pop3s_port);
    const unsigned submission_port = options.submission_port.value_or(choose_port(options, 587));
    if (submission_port != 0) plan.submission = choose_listen(options, submission_port);
    const unsigned submissions_port = options.submissions_port.value_or(choose_port(options, 465));
    if (submissions_port != 0) plan.submissions = choose_listen(options, submissions_port);
    for (const std::string& line : report) say(line);
    create(plan);
    say("made " + options.directory + " for " + options.me);
    say("start it: qmailctl start " + options.directory);
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
    const control::Home home = control::enter(control::Home(options.directory), group_of_user);
    if (::access(home.control_file("owners").c_str(), F_OK) != 0) {
        if (errno != ENOENT) throw_errno("look at", home.control_file("owners"));
        throw_permanent(home.control_file("owners") +
                        " is missing: either there is no instance (qmail-setup " + options.directory +
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
    if (well) say(options.directory + " is as it must be");
    return well ? 0 : 1;
}

int setup(const Arguments& arguments) {
    Options options;
    CommandLine line("Makes, checks and repairs a mail instance.", "qmail-setup");
    line.option("DIR", options.directory, "the instance; its QMAILHOME").required();
    line.option("--me", options.me, "this host's full name");
    line.option("--domain", options.domain,
                "of the users' addresses: for locals, rcpthosts, accounts and what is sent from here");
    line.option("--smtp-port", options.port, "port of the SMTP server (25; 2525 for an ordinary user)")
        .in_range(1, 65535);
    line.option("--pop3-port", options.pop3_port,
                "port of the POP3 server (110; 2110 for an ordinary user); 0: no POP3 server")
        .in_range(0, 65535);
    line.option("--pop3s-port", options.pop3s_port,
                "the same with TLS from the first octet (995; 2995 for an ordinary user); 0: none")
        .in_range(0, 65535);
    line.option("--submission-port", options.submission_port,
                "port of the submission server (587; 2587 for an ordinary user); 0: none")
        .in_range(0, 65535);
    line.option("--submissions-port", options.submissions_port,
                "the same with TLS from the first octet (465; 2465 for an ordinary user); 0: none")
        .in_range(0, 65535);
    line.option("--listen", options.listen,
                "address to listen on (repeatable; default 0: all of both families)");
    line.option("--user", options.user, "make an instance that belongs to this user alone");
    line.option("--numbers", options.numbers, "roles by number from here on, without users in /etc/passwd");
    line.option("--admin", options.admin, "address that gets mail for root, postmaster and mailer-daemon");
    line.flag("--own-listener", options.own_listener, "our own listeners in place of tcpserver");
    line.flag("--check", options.check, "name everything wrong");
    line.flag("--repair", options.repair, "mend it");
    if (const auto code = line.parse(arguments)) return *code;
    ::umask(022);
    hold_programs();
    options.directory = std::filesystem::weakly_canonical(std::filesystem::absolute(options.directory));
    return options.check || options.repair ? look_at(options) : make_instance(options);
}

}  // namespace
}  // namespace relais::setup

int main(int argc, char** argv) {
    return relais::control::run_tool("qmail-setup", argc, argv, relais::setup::setup,
                                     relais::control::Instance::in_arguments);
}
