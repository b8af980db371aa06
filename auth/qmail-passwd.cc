// qmail-passwd: the accounts of users/passwd, for logins by POP3 and others.
//
//   qmail-passwd set ACCOUNT [--store-secret | --forget-secret] [--no-scram] [--uid N] [--gid N] [--home DIR] [--shell S] [--maildir M]
//   qmail-passwd delete ACCOUNT
//   qmail-passwd list [--json]
//   qmail-passwd show ACCOUNT [--json]
//   qmail-passwd build
//
// ACCOUNT is user@domain, user%domain, or user of the default domain. set makes an account or changes its
// password and what is given; the password comes from the terminal, asked twice and not shown, or as the
// first line of standard input, and never from the command line, which everybody on the machine can read.
// What is not given for a new account is looked up in users/assign. Every change writes users/passwd (0600)
// and users/passwd.cdb, which qmail-authd sees at once; build does it after an edit by hand.
//
// Run by who may write to $QMAILHOME/users: root, or the instance's one user. It trusts what it is told, and
// shows neither hashes nor secrets. Exit codes: 0; 1 no such account; 100 wrong usage or input; 111 the
// system failed.
#include <unistd.h>

#include <cstdio>

#include "auth/accounts.h"
#include "auth/new_password.h"
#include "auth/passwd_file.h"
#include "base/command_line.h"
#include "base/error.h"
#include "base/io.h"
#include "control/tool.h"

namespace relais::auth {
namespace {

constexpr int no_such_account = 1;

struct Options {
    std::string account;
    AccountChanges changes;
    bool json = false;
};

void say(const std::string& text) {
    std::puts(text.c_str());
}

int there_is_none(const std::string& name) {
    log_line("there is no account " + name);
    return no_such_account;
}

int set(const control::Home& home, const Options& options) {
    const std::string name = account_name(home, options.account);
    const Secret password = ask_password();
    refuse_bad_password(password.view());
    ChangedAccount done = set_account(home, name, password, options.changes);
    say((done.added ? "added " : "changed ") + name);
    if (!done.account.secret.empty())
        say("its password itself is stored too, for APOP and CRAM-MD5: who can read users/passwd, root "
            "alone, can read it");
    wipe(done.account.secret);
    for (const std::string& warning : doubts_about(home, done.account)) log_line("warning: " + warning);
    return 0;
}

int remove(const control::Home& home, const Options& options) {
    const std::string name = account_name(home, options.account);
    PasswdFile file(home, true);
    if (!file.remove(name)) return there_is_none(name);
    file.save();
    say("deleted " + name);
    return 0;
}

int list(const control::Home& home, const Options& options) {
    if (::access(home.path("control").c_str(), F_OK) != 0) throw_errno("look at", home.path("control"));
    const PasswdFile file(home, false);
    Json all = Json::array();
    for (const Account& account : file.accounts()) {
        if (options.json)
            all.push_back(described(account));
        else
            say(account.name);
    }
    if (options.json) say(all.lines());
    return 0;
}

int show(const control::Home& home, const Options& options) {
    const std::string name = account_name(home, options.account);
    const auto account = PasswdFile(home, false).find(name);
    if (!account) return there_is_none(name);
    if (options.json)
        say(described(*account).lines());
    else
        std::fputs(account_page(*account).c_str(), stdout);
    return 0;
}

int build(const control::Home& home, const Options&) {
    const PasswdFile file(home, true);
    file.save();
    return 0;
}

void add_changes(Command& setting, AccountChanges& changes) {
    const auto store = setting.flag("--store-secret", changes.store_secret,
                                    "keep the password itself too: APOP and CRAM-MD5 need it");
    setting.flag("--forget-secret", changes.forget_secret, "keep the hash alone again").excludes(store);
    setting.flag("--no-scram", changes.no_scram,
                 "keep no verifier for SCRAM-SHA-256, which is easier to guess from than the hash");
    setting.option("--uid", changes.uid, "whose the mailbox is");
    setting.option("--gid", changes.gid, "his group");
    setting.option("--home", changes.home, "where the session starts, absolute");
    setting.option("--shell", changes.shell, "what $SHELL says (/bin/false)");
    setting.option("--maildir", changes.maildir, "a Maildir of its own, below home or absolute");
}

int work(const Arguments& arguments) {
    Options options;
    CommandLine line("Accounts for logins: users/passwd.", "qmail-passwd");
    line.takes_one(CommandLine::Subcommand::required);
    using Verb = int (*)(const control::Home&, const Options&);
    std::vector<std::pair<Command, Verb>> verbs;
    const auto verb = [&](const char* name, const char* meaning, Verb run) {
        verbs.emplace_back(line.subcommand(name, meaning), run);
        return verbs.back().first;
    };
    const auto with_account = [&](Command sub) {
        sub.option("ACCOUNT", options.account, "user@domain, user%domain or user").required();
        return sub;
    };
    Command setting = with_account(verb("set", "make an account, or change its password", set));
    add_changes(setting, options.changes);
    with_account(verb("delete", "remove an account", remove));
    verb("list", "every account", list).flag("--json", options.json);
    with_account(verb("show", "one account", show)).flag("--json", options.json);
    verb("build", "make users/passwd.cdb from users/passwd", build);
    if (const auto code = line.parse(arguments)) return *code;
    const control::Home home = control::Home::from_environment();
    for (const auto& [sub, run] : verbs)
        if (sub.given()) return run(home, options);
    return static_cast<int>(Exit::permanent);
}

}  // namespace
}  // namespace relais::auth

int main(int argc, char** argv) {
    return relais::control::run_tool("qmail-passwd", argc, argv, relais::auth::work);
}
