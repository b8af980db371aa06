#include "setup/user_mailbox.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "control/owners.h"
#include "explain/run_as.h"
#include "local/delivery.h"
#include "local/user_database.h"
#include "mail/address.h"
#include "send/default_delivery.h"
#include "send/rewrite.h"

namespace relais::setup {
namespace fs = std::filesystem;

namespace {

constexpr std::size_t instructions_limit = std::size_t{1} << 20;

// "Maildir" of "./Maildir/"; empty for other instructions.
std::string default_maildir(const control::Home& home) {
    const std::string line = send::read_default_delivery(home);
    if (!line.starts_with("./") || !line.ends_with('/') || line.find('\n') != std::string::npos) return "";
    return line.substr(2, line.size() - 3);
}

// As qmail-lspawn looks it up, without root's rights.
local::User find_user(const control::Home& home, const std::string& local_part) {
    const control::Owners owners = control::Owners::read(home);
    const control::Owner self = owners.of(control::Role::qmailp);
    const std::string words = explain::run_as(
        self.uid, self.gid, [&] { return local::encode_user(local::UserFinder(home).find(local_part)); });
    auto user = local::decode_user(std::string_view(words).substr(0, words.size() - 1), "");
    if (!user) throw Error(Reaction::temporary, "the user's record cannot be read");
    if (owners.single()) {
        user->uid = owners.of(control::Role::alias).uid;
        user->gid = owners.of(control::Role::alias).gid;
    }
    return *std::move(user);
}

std::string instructions(const UserMailbox& mailbox, const std::vector<std::string>& forward_to) {
    if (forward_to.empty()) return "./" + mailbox.maildir + "/\n";
    std::string text;
    for (const std::string& address : forward_to) text += "&" + address + "\n";
    return text;
}

// What --forward writes.
bool only_forwards(const std::string& text) {
    for (const std::string_view line : split(text, '\n'))
        if (!line.empty() && !line.starts_with('&')) return false;
    return !trim(text).empty();
}

void make_directory(const std::string& path) {
    if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) throw_errno("make", path);
}

// With the directories above it, from the current one down.
bool make_maildir(const std::string& path) {
    struct stat info {};
    if (::stat((path + "/new").c_str(), &info) == 0) return false;
    for (std::size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1))
        make_directory(path.substr(0, slash));
    for (const char* part : {"", "/tmp", "/new", "/cur"}) make_directory(path + part);
    sync_directory(path);
    return true;
}

void enter(const UserMailbox& mailbox) {
    ::umask(077);
    if (::chdir(mailbox.home.c_str()) != 0) throw_errno("enter", mailbox.home);
}

// The address as a shell script's argument or a .qmail line could not carry it.
void refuse_odd(const std::string& address) {
    constexpr std::string_view plain = "abcdefghijklmnopqrstuvwxyz0123456789.-_+=@";
    if (address.find_first_not_of(plain) != std::string::npos)
        throw_permanent("a mailbox is made for letters, digits and .-_+= only: " + address);
}

}  // namespace

UserMailbox mailbox_of(const control::Home& home, const std::string& text) {
    UserMailbox mailbox;
    mailbox.address = lower(text);
    refuse_odd(mailbox.address);
    const auto parts = mail::split_address(mailbox.address);
    const std::string domain(parts.domain), name(parts.local);
    if (!parts.has_domain || name.empty() || domain.empty() || name.starts_with('.'))
        throw_permanent("this is no address: " + text);
    const send::Route route = send::rewrite(send::RewriteRules::read(home), mailbox.address);
    if (!route.is_local())
        throw_permanent(fmt::format(
            "{0} is not delivered here: put it into control/locals, or \"{0}:USER-{0}\" into "
            "control/virtualdomains, where USER is a user of the system, and into control/rcpthosts",
            domain));
    const local::User user = find_user(home, std::string(mail::split_address(route.address).local));
    mailbox.uid = user.uid;
    mailbox.gid = user.gid;
    mailbox.home = user.home;
    if (user.dash.empty()) {
        mailbox.maildir = default_maildir(home);
        if (mailbox.maildir.empty())
            throw_permanent("control/defaultdelivery names no Maildir: make the mailbox of " + user.name +
                            " by hand, and the account with qmail-passwd");
        return mailbox;
    }
    mailbox.maildir = "mail/" + domain + "/" + name;
    mailbox.dot_qmail = ".qmail" + user.dash + local::file_name_extension(user.extension);
    return mailbox;
}

std::string make_mailbox(const UserMailbox& mailbox, const std::vector<std::string>& forward_to) {
    return explain::run_as(mailbox.uid, mailbox.gid, [&] {
        enter(mailbox);
        std::string done;
        if (forward_to.empty() && make_maildir(mailbox.maildir))
            done += "made " + mailbox.home + "/" + mailbox.maildir + "\n";
        const std::string file = mailbox.dot_qmail.empty() ? ".qmail" : mailbox.dot_qmail;
        const std::string wanted = instructions(mailbox, forward_to);
        const auto there = read_file(file, instructions_limit);
        if (there == wanted || (mailbox.dot_qmail.empty() && !there && forward_to.empty())) return done;
        if (there)
            throw_permanent(fmt::format("{}/{} has other instructions: they stay", mailbox.home, file));
        replace_file(file, wanted, 0600);
        return done + "made " + mailbox.home + "/" + file + "\n";
    });
}

std::string remove_mailbox(const UserMailbox& mailbox, bool with_mail) {
    return explain::run_as(mailbox.uid, mailbox.gid, [&] {
        enter(mailbox);
        std::string done;
        if (!mailbox.dot_qmail.empty()) {
            const auto there = read_file(mailbox.dot_qmail, instructions_limit);
            const std::string path = mailbox.home + "/" + mailbox.dot_qmail;
            if (there == instructions(mailbox, {}) || (there && only_forwards(*there))) {
                if (::unlink(mailbox.dot_qmail.c_str()) != 0) throw_errno("remove", path);
                done += "removed " + path + "\n";
            } else if (there) {
                done += "kept " + path + ": it has other instructions\n";
            }
        }
        struct stat info {};
        if (::stat(mailbox.maildir.c_str(), &info) != 0) return done;
        const std::string maildir = mailbox.home + "/" + mailbox.maildir;
        if (!with_mail) return done + "kept " + maildir + "\n";
        fs::remove_all(mailbox.maildir);
        return done + "removed " + maildir + " with its mail\n";
    });
}

}  // namespace relais::setup
