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

#include "auth/hash.h"
#include "auth/new_password.h"
#include "auth/passwd_file.h"
#include "base/cdb.h"
#include "base/command_line.h"
#include "base/error.h"
#include "base/io.h"
#include "base/json.h"
#include "control/owners.h"
#include "control/tool.h"
#include "local/user_database.h"
#include "sasl/base64.h"
#include "sasl/scram.h"
#include "sasl/secret.h"
#include "send/rewrite.h"

namespace relais::auth {
namespace {

constexpr int no_such_account = 1;

struct Options {
    std::string account;
    bool store_secret = false;
    bool forget_secret = false;
    bool no_scram = false;
    bool json = false;
    std::optional<unsigned> uid;
    std::optional<unsigned> gid;
    std::optional<std::string> home;
    std::optional<std::string> shell;
    std::optional<std::string> maildir;
};

void say(const std::string& text) {
    std::puts(text.c_str());
}

std::optional<local::User> assigned_user(const control::Home& home, const std::string& local) {
    try {
        const CdbReader database(home.path("users/cdb"));
        return local::find_assigned(local, [&database](std::string_view key) { return database.find(key); });
    } catch (const Error& error) {
        if (error.number() == ENOENT) return std::nullopt;
        throw;
    }
}

// Whom mail for the account goes to, by locals, virtualdomains, users/cdb and the system's users.
std::optional<local::User> user_of(const control::Home& home, const std::string& name) {
    const send::Route route = send::rewrite(send::RewriteRules::read(home), name);
    const std::string& address = route.is_local() ? route.address : name;
    const std::string local = address.substr(0, address.rfind('@'));
    if (auto user = assigned_user(home, local)) return user;
    // The system's users are those of the local domains, and of the one that a login without domain means.
    if (!route.is_local() && !name.ends_with("@" + default_domain(home))) return std::nullopt;
    auto user = local::find_system_user(local, local::system_user);
    // anna-lists is an address of anna's, but no account.
    return user && user->extension.empty() ? user : std::nullopt;
}

// A new account: what users/assign or the system says, in an instance of one user that user.
Account new_account(const control::Home& home, const std::string& name) {
    Account account;
    account.name = name;
    if (const auto user = user_of(home, name)) {
        account.uid = user->uid;
        account.gid = user->gid;
        account.home = user->home;
    }
    const control::Owners owners = control::Owners::read(home);
    if (owners.single()) {
        account.uid = owners.of(control::Role::alias).uid;
        account.gid = owners.of(control::Role::alias).gid;
    }
    account.shell = "/bin/false";
    return account;
}

void apply(const Options& options, Account& account) {
    if (options.uid) account.uid = *options.uid;
    if (options.gid) account.gid = *options.gid;
    if (options.home) account.home = *options.home;
    if (options.shell) account.shell = *options.shell;
    if (options.maildir) account.maildir = *options.maildir;
    if (account.uid == 0 || account.gid == 0 || account.home.empty())
        throw_permanent("no line of users/assign fits " + account.name +
                        " and no user of the system's: give --uid, --gid and --home (uid and gid above 0)");
    // What the file could not be read back with is refused before it is written.
    (void)parse_passwd_line(format_passwd_line(account));
}

std::string name_of(const control::Home& home, const Options& options) {
    const auto name = canonical_name(options.account, default_domain(home));
    if (!name) throw_permanent("this cannot be an account: " + options.account);
    return *name;
}

std::string new_verifier(std::string_view password) {
    const std::string salt = sasl::decode_base64(sasl::new_scram_nonce()).value();
    return sasl::format_scram_verifier(
        sasl::make_scram_verifier(password, salt.substr(0, 16), sasl::scram_iterations));
}

// An account that nobody can send mail to, or fetch it from, is most likely a slip.
void warn_of_no_mail(const control::Home& home, const Account& account) {
    if (!send::rewrite(send::RewriteRules::read(home), account.name).is_local())
        log_line(
            "warning: mail for " + account.name +
            " is not delivered here: its domain is in neither control/locals nor control/virtualdomains");
    std::string maildir = account.maildir.empty() ? "Maildir" : account.maildir;
    if (!maildir.starts_with('/')) maildir = account.home + "/" + maildir;
    if (::access(maildir.c_str(), F_OK) != 0 && errno == ENOENT)
        log_line("warning: there is no Maildir " + maildir + ", and POP3 refuses the login: qmail-user add " +
                 account.name + " makes one");
}

int set(const control::Home& home, const Options& options) {
    const std::string name = name_of(home, options);
    const Secret password = ask_password();
    refuse_bad_password(password.view());
    PasswdFile file(home, true);
    auto old = file.find(name);
    Account account = old ? *old : new_account(home, name);
    apply(options, account);
    account.hash = hash_password(password.view());
    account.verifier = options.no_scram ? "" : new_verifier(password.view());
    const bool store = options.store_secret || (!account.secret.empty() && !options.forget_secret);
    account.secret = store ? std::string(password.view()) : "";
    file.set(account);
    file.save();
    say(std::string(old ? "changed " : "added ") + name);
    if (store)
        say("its password itself is stored too, for APOP and CRAM-MD5: who can read users/passwd, root "
            "alone, can read it");
    wipe(account.secret);
    warn_of_no_mail(home, account);
    return 0;
}

int remove(const control::Home& home, const Options& options) {
    const std::string name = name_of(home, options);
    PasswdFile file(home, true);
    if (!file.remove(name)) {
        log_line("there is no account " + name);
        return no_such_account;
    }
    file.save();
    say("deleted " + name);
    return 0;
}

Json described(const Account& account) {
    return {{"account", account.name},
            {"gid", account.gid},
            {"home", account.home},
            {"maildir", account.maildir},
            {"scram", !account.verifier.empty()},
            {"shell", account.shell},
            {"stored_secret", !account.secret.empty()},
            {"uid", account.uid}};
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
    const std::string name = name_of(home, options);
    const auto account = PasswdFile(home, false).find(name);
    if (!account) {
        log_line("there is no account " + name);
        return no_such_account;
    }
    if (options.json) {
        say(described(*account).lines());
        return 0;
    }
    say("account: " + account->name);
    say("uid: " + std::to_string(account->uid));
    say("gid: " + std::to_string(account->gid));
    say("home: " + account->home);
    say("shell: " + account->shell);
    say("maildir: " + (account->maildir.empty() ? "as the service has it" : account->maildir));
    say(account->verifier.empty() ? "SCRAM-SHA-256: no" : "SCRAM-SHA-256: yes");
    say(account->secret.empty() ? "stored secret: no" : "stored secret: yes (APOP, CRAM-MD5)");
    return 0;
}

int build(const control::Home& home, const Options&) {
    const PasswdFile file(home, true);
    file.save();
    return 0;
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
    const auto store = setting.flag("--store-secret", options.store_secret,
                                    "keep the password itself too: APOP and CRAM-MD5 need it");
    setting.flag("--forget-secret", options.forget_secret, "keep the hash alone again").excludes(store);
    setting.flag("--no-scram", options.no_scram,
                 "keep no verifier for SCRAM-SHA-256, which is easier to guess from than the hash");
    setting.option("--uid", options.uid, "whose the mailbox is");
    setting.option("--gid", options.gid, "his group");
    setting.option("--home", options.home, "where the session starts, absolute");
    setting.option("--shell", options.shell, "what $SHELL says (/bin/false)");
    setting.option("--maildir", options.maildir, "a Maildir of its own, below home or absolute");
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
