#include "explain/mailbox.h"

#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>

#include "base/error.h"
#include "explain/run_as.h"

namespace relais::explain {
namespace {

constexpr std::string_view plain_in_a_shell =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_@%+=:,./-";

// A path comes from a user's file, and the remedy is typed by root.
std::string shell_word(const std::string& text) {
    if (!text.empty() && text.find_first_not_of(plain_in_a_shell) == std::string::npos) return text;
    std::string word = "'";
    for (const char c : text) {
        if (c == '\'')
            word += "'\\''";
        else
            word += c;
    }
    return word + "'";
}

std::string directory_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    return slash == 0 ? "/" : path.substr(0, slash);
}

std::string real_path(const std::string& path) {
    const std::unique_ptr<char, decltype(&::free)> real(::realpath(path.c_str(), nullptr), &::free);
    return real ? real.get() : "";
}

// Nobody else's place that a link or another name makes look like the user's.
bool is_of_his_home(const std::string& path, const MailboxUser& user) {
    struct stat info {};
    if (::lstat(path.c_str(), &info) != 0 || (S_ISREG(info.st_mode) && info.st_nlink != 1)) return false;
    const std::string home = real_path(user.home);
    const std::string real = real_path(path);
    if (home.empty() || home == "/" || real.empty() || S_ISLNK(info.st_mode)) return false;
    return real == home || real.starts_with(home + "/");
}

// The first directory on the way that this user may not pass; empty if there is none.
std::string closed_directory(const std::string& path) {
    for (std::size_t end = 1; (end = path.find('/', end)) != std::string::npos; ++end) {
        const std::string directory = path.substr(0, end);
        if (::access(directory.c_str(), X_OK) != 0 && errno == EACCES) return directory;
    }
    return "";
}

// Gives him what is at the path.
std::string giving(const std::string& path, const MailboxUser& user, bool with_all_below) {
    const std::string word = shell_word(path);
    const char* flag = with_all_below ? "-R " : "";
    const std::string commands = fmt::format("chown {}--no-dereference {}:{} {}; chmod {}u+rwX {}", flag,
                                             user.uid, user.gid, word, flag, word);
    if (is_of_his_home(path, user)) return commands;
    return fmt::format("ls -ld {}: it is not of {}'s home. If it is meant to be his: {}", word, user.name,
                       commands);
}

std::string as_user(const MailboxUser& user, std::string_view program, const std::string& path) {
    return fmt::format("as {0}: {1} {2} (su - {0} -c ...)", user.name, program, shell_word(path));
}

// He may not write at the place, for that reason; he is given the mailbox, which is the place or around it.
MailboxTrouble closed(const std::string& place, int error, const MailboxUser& user,
                      const std::string& mailbox, bool with_all_below) {
    struct stat info {};
    if (error != EACCES || ::stat(place.c_str(), &info) != 0)
        return {place + ": " + errno_text(error),
                fmt::format("findmnt --target {0}; lsattr -d {0}", shell_word(place))};
    return {fmt::format("{} is uid {}'s, and uid {} may not write there", place, info.st_uid, user.uid),
            giving(mailbox, user, with_all_below)};
}

// Why there is no status of the path, as errno has it. made says how he makes what is missing.
MailboxTrouble unseen(const std::string& path, const MailboxUser& user, const std::string& made) {
    const int error = errno;
    const std::string text = path + ": " + errno_text(error);
    if (error == ENOENT) return {text, made};
    const std::string word = shell_word(path);
    if (error != EACCES) return {text, fmt::format("namei -l {} shows where it ends", word)};
    const std::string directory = closed_directory(path);
    if (directory.empty()) return {text, fmt::format("namei -l {} shows what he may not enter", word)};
    return {text + ", because of " + directory, giving(directory, user, false)};
}

MailboxTrouble trouble_of_maildir(const std::string& path, const MailboxUser& user) {
    for (const char* part : {"", "/tmp", "/new", "/cur"}) {
        struct stat info {};
        const std::string place = path + part;
        if (::stat(place.c_str(), &info) != 0)
            return unseen(place, user, as_user(user, *part == '\0' ? "maildirmake" : "mkdir -m 700", place));
        if (!S_ISDIR(info.st_mode)) return {place + " is not a directory", "move it away"};
        if (::access(place.c_str(), W_OK | X_OK) != 0) return closed(place, errno, user, path, true);
    }
    return {};
}

// Where a delivery would make the mbox. Its name must last, so the directory is read too.
MailboxTrouble trouble_of_directory(const std::string& path, const MailboxUser& user) {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) return unseen(path, user, as_user(user, "mkdir -p", path));
    if (!S_ISDIR(info.st_mode)) return {path + " is not a directory", "move it away"};
    if (::access(path.c_str(), R_OK | W_OK | X_OK) != 0) return closed(path, errno, user, path, false);
    return {};
}

MailboxTrouble trouble_of_mbox(const std::string& path, const MailboxUser& user) {
    struct stat info {};
    if (::stat(path.c_str(), &info) == 0) {
        if (S_ISDIR(info.st_mode))
            return {path + " is a directory, and an mbox is a file",
                    "move it away; if it is a Maildir, its line ends with a slash"};
        if (S_ISSOCK(info.st_mode)) return {path + " is a socket, and an mbox is a file", "move it away"};
        if (::access(path.c_str(), W_OK) != 0) return closed(path, errno, user, path, false);
        return {};
    }
    if (errno != ENOENT && errno != ENOTDIR) return unseen(path, user, "");
    if (::lstat(path.c_str(), &info) == 0)
        return {path + " is a link to what does not exist: no delivery makes an mbox through a link",
                fmt::format("ls -l {0}; make what it names, or: rm {0}", shell_word(path))};
    return trouble_of_directory(directory_of(path), user);
}

}  // namespace

MailboxTrouble trouble_of_mailbox(const MailboxUser& user, const std::string& path) {
    const std::string words = run_as(user.uid, user.gid, [&] {
        std::string name = path.starts_with("./") ? path.substr(2) : path;
        const bool maildir = name.ends_with('/');
        while (name.size() > 1 && name.ends_with('/')) name.pop_back();
        if (!name.starts_with('/')) name = user.home + "/" + name;
        const auto [text, remedy] = maildir ? trouble_of_maildir(name, user) : trouble_of_mbox(name, user);
        return text + '\0' + remedy;
    });
    const std::size_t end = words.find('\0');
    return {words.substr(0, end), words.substr(end + 1)};
}

}  // namespace relais::explain
