#include "setup/mailboxes.h"

#include <fmt/core.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>

#include "auth/passwd_file.h"
#include "control/setting.h"
#include "explain/mailbox.h"
#include "send/default_delivery.h"
#include "send/rewrite.h"

namespace relais::setup {
namespace {

constexpr std::size_t shown = 10;
constexpr std::uint64_t usual_minimum_uid = 1000;
// Debian's nobody and what containers map are above.
constexpr uid_t highest_person = 60000;

enum class Mailbox {
    well,
    missing,
    foreign,  // somebody else's
    unseen,
};

Mailbox look_at_maildir(const std::string& path, uid_t uid) {
    for (const char* part : {"", "/tmp", "/new", "/cur"}) {
        struct stat info {};
        if (::stat((path + part).c_str(), &info) != 0)
            return errno == ENOENT || errno == ENOTDIR ? Mailbox::missing : Mailbox::unseen;
        if (!S_ISDIR(info.st_mode)) return Mailbox::missing;
        if (info.st_uid != uid) return Mailbox::foreign;
    }
    return Mailbox::well;
}

bool is_missing(const std::string& path) {
    struct stat info {};
    return ::stat(path.c_str(), &info) != 0 && (errno == ENOENT || errno == ENOTDIR);
}

// The first names, and how many there are beside them.
class Names {
  public:
    void add(const std::string& name) {
        if (count_++ < shown) text_ += (text_.empty() ? "" : ", ") + name;
    }
    bool none() const { return count_ == 0; }
    std::string text() const {
        return count_ <= shown ? text_ : fmt::format("{} and {} more", text_, count_ - shown);
    }

  private:
    std::size_t count_ = 0;
    std::string text_;
};

std::string maildir_of(const auth::Account& account) {
    const std::string maildir = account.maildir.empty() ? "Maildir" : account.maildir;
    return maildir.starts_with('/') ? maildir : account.home + "/" + maildir;
}

// False if something is wrong with it.
bool look_at_mailbox(const auth::Account& account, Report& report) {
    const std::string maildir = maildir_of(account);
    if (is_missing(account.home)) {
        report.bad(fmt::format("account {}: its home {} does not exist", account.name, account.home),
                   fmt::format("make it, for uid {}, or: qmail-passwd set {} --home DIR", account.uid,
                               account.name));
        return false;
    }
    switch (look_at_maildir(maildir, account.uid)) {
        case Mailbox::missing:
            report.bad(
                fmt::format("account {}: there is no Maildir {}: POP3 refuses the login", account.name,
                            maildir),
                fmt::format("setpriv --reuid={} --regid={} --clear-groups maildirmake {} (or another one: "
                            "qmail-passwd set {} --maildir M)",
                            account.uid, account.gid, maildir, account.name));
            return false;
        case Mailbox::foreign:
            report.bad(fmt::format("account {}: {} is not all uid {}'s, whose the mailbox is", account.name,
                                   maildir, account.uid),
                       fmt::format("chown -R --no-dereference {}:{} {}", account.uid, account.gid, maildir));
            return false;
        default:
            return true;
    }
}

// A local domain of this instance in which nobody would get mail.
void look_at_domains(const Plan& plan, const std::map<std::string, Names>& strangers, Report& report) {
    for (const auto& [domain, names] : strangers)
        report.bad(
            fmt::format("accounts in {}, which is in neither control/locals nor control/virtualdomains: "
                        "mail for {} is not delivered here",
                        domain, names.text()),
            fmt::format("for f in locals rcpthosts; do echo {} >>{}/control/$f; done; qmailctl reload",
                        domain, plan.home.directory()));
}

struct Person {
    std::string name;
    uid_t uid = 0;
    gid_t gid = 0;
    std::string home;
};

// Of /etc/passwd alone: a directory service may have thousands, and be slow.
std::vector<Person> people(std::uint64_t minimum_uid) {
    std::vector<Person> all;
    const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen("/etc/passwd", "re"), &std::fclose);
    if (!file) return all;
    while (const struct passwd* entry = ::fgetpwent(file.get())) {
        const std::string_view shell = entry->pw_shell;
        if (entry->pw_uid < minimum_uid || entry->pw_uid >= highest_person || shell.ends_with("/nologin") ||
            shell.ends_with("/false"))
            continue;
        struct stat info {};
        // Nobody gets mail in a home that is not his.
        if (::stat(entry->pw_dir, &info) != 0 || info.st_uid != entry->pw_uid) continue;
        all.push_back({entry->pw_name, entry->pw_uid, entry->pw_gid, entry->pw_dir});
    }
    return all;
}

// Where users without instructions get their mail, below a home: a Maildir if it ends with a slash. Empty for
// something else.
std::string default_mailbox(const Plan& plan) {
    const std::string line = send::read_default_delivery(plan.home);
    if (!line.starts_with("./") || line.find('\n') != std::string::npos) return "";
    return line.substr(1);
}

// Whose mailbox the default is: who has no instructions of his own.
std::vector<Person> people_without_instructions(const Plan& plan) {
    auto all = people(std::max(control::read<"minimumuid">(plan.home), usual_minimum_uid));
    std::erase_if(all, [](const Person& person) { return !is_missing(person.home + "/.qmail"); });
    return all;
}

void look_at_maildirs(const Plan& plan, const std::string& below, Report& report) {
    Names without;
    for (const Person& person : people_without_instructions(plan)) {
        switch (look_at_maildir(person.home + below, person.uid)) {
            case Mailbox::missing:
                without.add(person.name);
                break;
            case Mailbox::foreign:
                report.bad(fmt::format("{}{} is not all {}'s: mail for {} waits", person.home, below,
                                       person.name, person.name),
                           fmt::format("chown -R --no-dereference {} {}{}", person.name, person.home, below));
                break;
            default:
                break;
        }
    }
    if (!without.none())
        report.note(fmt::format("without a Maildir, so that mail for them waits: {}", without.text()),
                    fmt::format("for each: su - USER -c 'maildirmake ~{}'", below));
    if (!is_missing("/etc/skel") && is_missing("/etc/skel" + below))
        report.note("new users of the system get no Maildir", "maildirmake /etc/skel" + below);
}

// A missing mbox is well where its user may make it. Only root sees what each user would.
void look_at_mboxes(const Plan& plan, const std::string& below, Report& report) {
    if (::geteuid() != 0) return;
    for (const Person& person : people_without_instructions(plan)) {
        const explain::MailboxUser user{person.name, person.uid, person.gid, person.home};
        const auto [trouble, remedy] = explain::trouble_of_mailbox(user, "." + below);
        if (!trouble.empty()) report.bad(fmt::format("mail for {} waits: {}", person.name, trouble), remedy);
    }
}

}  // namespace

void look_at_accounts(const Plan& plan, Report& report) {
    const auto accounts = auth::PasswdFile(plan.home, false).accounts();
    if (accounts.empty()) return;
    const auto rules = send::RewriteRules::read(plan.home);
    std::map<std::string, Names> strangers;
    bool well = true;
    for (const auth::Account& account : accounts) {
        if (!send::rewrite(rules, account.name).is_local())
            strangers[account.name.substr(account.name.rfind('@') + 1)].add(account.name);
        well = look_at_mailbox(account, report) && well;
    }
    look_at_domains(plan, strangers, report);
    if (strangers.empty() && well)
        report.good(fmt::format("{} accounts have mailboxes that get mail", accounts.size()));
}

void look_at_users(const Plan& plan, Report& report) {
    const std::string mailbox = default_mailbox(plan);
    if (mailbox.empty() || plan.identity.single) return;
    if (mailbox.ends_with('/'))
        look_at_maildirs(plan, mailbox.substr(0, mailbox.size() - 1), report);
    else
        look_at_mboxes(plan, mailbox, report);
}

}  // namespace relais::setup
