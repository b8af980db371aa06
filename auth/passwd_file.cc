#include "auth/passwd_file.h"

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <unordered_set>

#include "auth/users_directory.h"
#include "base/cdb.h"
#include "base/deadline.h"
#include "base/error.h"
#include "base/file.h"
#include "base/program.h"
#include "base/text.h"
#include "control/owners.h"
#include "control/setting.h"
#include "sasl/secret.h"

namespace relais::auth {
namespace {

constexpr std::size_t file_limit = std::size_t{1} << 30;
constexpr mode_t private_mode = 0600;

// qmail-authd reads the data base as qmaila, by its group, and may not change it.
void give_to_readers(const control::Home& home, int fd) {
    give_to_owner_of_users(home, fd);
    if (::geteuid() != 0 || ::access(home.control_file("owners").c_str(), F_OK) != 0) return;
    const auto owners = control::Owners::read_incomplete(home);
    if (owners.single() || !owners.has(control::Role::qmaila)) return;
    const std::string path = passwd_database(home);
    if (::fchown(fd, static_cast<uid_t>(-1), owners.of(control::Role::qmaila).gid) != 0 ||
        ::fchmod(fd, 0440) != 0)
        throw_errno("let qmail-authd read", path);
}

}  // namespace

std::string passwd_path(const control::Home& home) {
    return home.path("users/passwd");
}
std::string passwd_database(const control::Home& home) {
    return home.path("users/passwd.cdb");
}

std::string default_domain(const control::Home& home) {
    return lower(control::read<"defaultdomain">(home));
}

PasswdFile::PasswdFile(const control::Home& home, bool change) : home_(home) {
    if (change) lock_ = lock_users(home);
    std::string content = read_file(passwd_path(home), file_limit).value_or("");
    for (const std::string_view raw : split(content, '\n')) {
        const std::string_view line = trim(raw);
        lines_.emplace_back(line);
        parsed_.emplace_back();
        if (line.empty() || line.front() == '#') continue;
        try {
            parsed_.back() = parse_passwd_line(line);
        } catch (const Error& error) {
            throw_permanent("users/passwd, line " + std::to_string(lines_.size()) + ": " + error.what());
        }
    }
    wipe(content);
    // What stands behind the last line end.
    if (lines_.back().empty()) {
        lines_.pop_back();
        parsed_.pop_back();
    }
}

std::vector<Account> PasswdFile::accounts() const {
    std::vector<Account> all;
    std::unordered_set<std::string_view> seen;
    for (const auto& account : parsed_)
        if (account && seen.insert(account->name).second) all.push_back(*account);
    return all;
}

std::optional<Account> PasswdFile::find(std::string_view name) const {
    for (const auto& account : parsed_)
        if (account && account->name == name) return account;
    return std::nullopt;
}

void PasswdFile::set(const Account& account) {
    for (std::size_t i = 0; i < lines_.size(); ++i) {
        if (!parsed_[i] || parsed_[i]->name != account.name) continue;
        lines_[i] = format_passwd_line(account);
        parsed_[i] = account;
        return;
    }
    lines_.push_back(format_passwd_line(account));
    parsed_.emplace_back(account);
}

bool PasswdFile::remove(std::string_view name) {
    bool found = false;
    for (std::size_t i = lines_.size(); i-- > 0;) {
        if (!parsed_[i] || parsed_[i]->name != name) continue;
        lines_.erase(lines_.begin() + static_cast<std::ptrdiff_t>(i));
        parsed_.erase(parsed_.begin() + static_cast<std::ptrdiff_t>(i));
        found = true;
    }
    return found;
}

// It must stay the same, or a new salt would tell who does not exist.
static std::string scram_seed(const control::Home& home) {
    try {
        const CdbReader old(passwd_database(home));
        const auto seed = old.find(scram_seed_key);
        if (seed && seed->size() == scram_seed_size) return std::string(*seed);
    } catch (const Error& error) {
        if (error.number() != ENOENT) log_line("warning: " + std::string(error.what()) + ": salts change");
    }
    std::string seed(scram_seed_size, '\0');
    ::randombytes_buf(seed.data(), seed.size());
    return seed;
}

void PasswdFile::save() const {
    std::string content;
    for (const std::string& line : lines_) content.append(line).append(1, '\n');
    const auto give = [this](int fd) { give_to_owner_of_users(home_, fd); };
    replace_file(passwd_path(home_), content, private_mode, give);
    wipe(content);
    const std::string temporary = home_.path("users/passwd.tmp");
    CdbWriter database(passwd_database(home_), temporary, private_mode);
    const Fd held(::open(temporary.c_str(), O_WRONLY | O_NOFOLLOW | O_CLOEXEC));
    if (!held) throw_errno("open", temporary);
    give_to_readers(home_, held.get());
    std::string there;
    const auto note = [&there](bool has, char letter) {
        if (has && there.find(letter) == std::string::npos) there += letter;
    };
    for (const Account& account : accounts()) {
        std::string record = encode_record(account);
        database.add(account.name, record);
        wipe(record);
        note(true, 'p');
        note(!account.secret.empty(), 'c');
        note(!account.verifier.empty(), 's');
    }
    if (!there.empty()) database.add("", there);
    database.add(scram_seed_key, scram_seed(home_));
    database.commit();
}

}  // namespace relais::auth
