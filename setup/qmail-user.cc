// qmail-user makes a user's address work in one step: mailbox, .qmail file and account.
//
//   qmail-user add USER@DOMAIN [--forward ADDRESS]...
//   qmail-user list [DOMAIN]
//   qmail-user remove USER@DOMAIN [--mail]
//
// add makes the Maildir (and, for a domain without users of the system, the .qmail file) as the user whose
// they are, then the account by qmail-passwd, which asks for the password or takes it from standard input.
// With --forward mail for the address goes on, and there is no account.
//
// Run by who may write to $QMAILHOME/users: root, or the instance's one user. It trusts what it is told; what
// stands in a home is the user's, and is touched with his rights alone. Exit codes: 0; 1 no such account; 100
// wrong usage, or what is there is left alone; 111 the system failed.
#include <unistd.h>

#include <cstdio>

#include "auth/passwd_file.h"
#include "base/command_line.h"
#include "base/error.h"
#include "control/tool.h"
#include "setup/programs.h"
#include "setup/user_mailbox.h"

namespace relais::setup {
namespace {

struct Options {
    std::string address;
    std::string domain;
    std::vector<std::string> forward;
    bool mail = false;
};

void say(const std::string& text) {
    std::fputs(text.c_str(), stdout);
    std::fflush(stdout);
}

[[noreturn]] void become(const std::vector<std::string>& words) {
    std::vector<char*> arguments;
    for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    const std::string path = program(words.front());
    ::execv(path.c_str(), arguments.data());
    throw_errno("run", path);
}

// "anna" is the default domain's.
std::string whole(const control::Home& home, const std::string& address) {
    return address.find('@') != std::string::npos ? address : address + "@" + auth::default_domain(home);
}

int add(const control::Home& home, const Options& options) {
    const UserMailbox mailbox = mailbox_of(home, whole(home, options.address));
    say(make_mailbox(mailbox, options.forward));
    if (!options.forward.empty()) return 0;
    become({"qmail-passwd", "set", mailbox.address, "--uid", std::to_string(mailbox.uid), "--gid",
            std::to_string(mailbox.gid), "--home", mailbox.home, "--maildir", mailbox.maildir});
}

int list(const control::Home& home, const Options& options) {
    for (const auth::Account& account : auth::PasswdFile(home, false).accounts()) {
        if (!options.domain.empty() && !account.name.ends_with("@" + options.domain)) continue;
        const std::string maildir = account.maildir.empty() ? "Maildir" : account.maildir;
        say(account.name + "  " + (maildir.starts_with('/') ? "" : account.home + "/") + maildir + "\n");
    }
    return 0;
}

int remove(const control::Home& home, const Options& options) {
    const UserMailbox mailbox = mailbox_of(home, whole(home, options.address));
    const std::string done = remove_mailbox(mailbox, options.mail);
    say(done);
    if (!auth::PasswdFile(home, false).find(mailbox.address)) {
        if (done.empty()) log_line("there is neither mailbox nor account " + mailbox.address);
        return done.empty() ? 1 : 0;
    }
    become({"qmail-passwd", "delete", mailbox.address});
}

int work(const Arguments& arguments) {
    Options options;
    CommandLine line("Mailboxes and accounts of users, in one step.", "qmail-user");
    line.takes_one(CommandLine::Subcommand::required);
    Command adding = line.subcommand("add", "make mailbox, .qmail file and account");
    adding.option("ADDRESS", options.address, "user@domain, or user of the default domain").required();
    adding.option("--forward", options.forward, "send mail on to this address instead (repeatable)")
        .one_value_each();
    Command listing = line.subcommand("list", "every account and its mailbox");
    listing.option("DOMAIN", options.domain, "of this domain alone");
    Command removing = line.subcommand("remove", "remove account and .qmail file");
    removing.option("ADDRESS", options.address, "user@domain, or user of the default domain").required();
    removing.flag("--mail", options.mail, "and the mailbox with all mail in it");
    if (const auto code = line.parse(arguments)) return *code;
    hold_programs();
    const control::Home home = control::Home::from_environment();
    return adding.given()    ? add(home, options)
           : listing.given() ? list(home, options)
                             : remove(home, options);
}

}  // namespace
}  // namespace relais::setup

int main(int argc, char** argv) {
    return relais::control::run_tool("qmail-user", argc, argv, relais::setup::work);
}
