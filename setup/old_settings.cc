#include "setup/old_settings.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "base/io.h"
#include "base/sys.h"
#include "base/text.h"
#include "control/secret_file.h"
#include "control/table.h"
#include "setup/mend.h"
#include "setup/old_formats.h"
#include "setup/old_queue.h"

namespace relais::setup {

using control::Role;
using Fate = OldSetting::Fate;

namespace {

constexpr const char* ledger = "imported";
constexpr std::size_t setting_limit = std::size_t{64} << 20;
// All of them are held in memory.
constexpr std::uint64_t settings_limit = std::uint64_t{256} << 20;
// Of a name, with ".new" behind it while the file is written: a name has 255 octets at most.
constexpr std::size_t beside_limit = 250;
// A new instance's own: its name, its roles, and what another qmail-smtpd was run with.
constexpr std::string_view own[] = {"me", "owners", "concurrencyincoming"};

void judge_control(const std::string& name, OldSetting& setting) {
    if (std::ranges::find(own, name) != std::ranges::end(own)) {
        setting.fate = Fate::stays;
        setting.text = "the instance has its own";
    } else if (const auto* row = control::find_control_file(name); row == nullptr) {
        setting.fate = Fate::unknown;
        setting.text = "nothing here reads it";
    } else if (row->kind == control::FileKind::pem) {
        setting.fate = Fate::by_hand;
        setting.text = "a key: put it there by hand (docs/certificates.md)";
    } else if (row->kind == control::FileKind::database) {
        setting.fate = Fate::stays;
        setting.text = "qmailctl cdb makes it anew";
    }
}

void judge_alias(const std::string& name, OldSetting& setting) {
    if (name.starts_with(".qmail")) return;
    setting.fate = Fate::by_hand;
    setting.text = "no .qmail file";
}

bool is_text(const std::string& name) {
    return std::ranges::none_of(name, [](char c) { return (c >= 0 && c < 32) || c == 127; });
}

// What is there, and how it must be there; at most so many octets, and room has as many fewer.
OldSetting look_at_setting(const HeldDirectory& installation, const std::string& path, std::uint64_t& room) {
    OldSetting setting{.path = path};
    struct stat status {
    }, its_directory{};
    if (!is_text(path)) {
        setting.fate = Fate::by_hand;
        setting.text = "its name is no text";
        return setting;
    }
    const HeldDirectory directory = part_of(installation, parent_of(path));
    const Fd fd = directory.try_open(name_of(path), O_RDONLY | O_NONBLOCK | O_NOFOLLOW);
    if (!fd) {
        setting.fate = errno == ELOOP || errno == EXDEV ? Fate::by_hand : Fate::fault;
        setting.text = setting.fate == Fate::by_hand ? "a link" : std::strerror(errno);
        return setting;
    }
    if (::fstat(fd.get(), &status) != 0 || ::fstat(directory.fd(), &its_directory) != 0)
        throw_errno("look at", installation.path_of(path));
    if (!S_ISREG(status.st_mode)) {
        setting.fate = Fate::by_hand;
        setting.text = S_ISDIR(status.st_mode) ? "a directory" : "no regular file";
    } else if (is_borrowed(status, its_directory)) {
        setting.fate = Fate::by_hand;
        setting.text = borrowed;
    } else if (static_cast<std::uint64_t>(status.st_size) > setting_limit) {
        setting.fate = Fate::fault;
        setting.text = "it is larger than such a file can be";
    } else if (static_cast<std::uint64_t>(status.st_size) > room) {
        setting.fate = Fate::fault;
        setting.text = "together with what came before it is more than is taken at once";
    } else {
        setting.content = read_to_end(fd.get(), setting_limit, Deadline::never());
        room -= std::min<std::uint64_t>(room, setting.content.size());
        if (status.st_mode & 0100) setting.mode |= 0100;
    }
    return setting;
}

std::vector<std::string> names_of(const HeldDirectory& installation, const std::string& path) {
    struct stat status {};
    if (!installation.look(path, status)) return {};
    return part_of(installation, path).names();
}

}  // namespace

void set_owner(OldSetting& setting, const Plan& plan) {
    const std::string directory = parent_of(setting.path);
    setting.owner = directory == "alias" ? plan.identity.of(Role::alias) : plan.identity.administrator();
    if (directory != "control" || !control::may_hold_passwords(name_of(setting.path))) return;
    setting.owner = plan.identity.of(Role::qmailr);
    setting.mode = 0400;
}

std::set<std::string> settings_taken(const Plan& plan) {
    std::set<std::string> taken;
    const auto root = plan.tree->directory("");
    if (!root) throw_errno("open", plan.home.directory());
    const Fd fd = root->try_open(ledger, O_RDONLY | O_NONBLOCK | O_NOFOLLOW);
    if (!fd) return taken;
    const std::string text = read_to_end(fd.get(), setting_limit, Deadline::never());
    for (const std::string_view line : split(text, '\n')) taken.emplace(line);
    return taken;
}

std::vector<OldSetting> old_settings(const HeldDirectory& installation, const Plan* plan) {
    const auto taken = plan != nullptr ? settings_taken(*plan) : std::set<std::string>{};
    std::vector<OldSetting> all;
    std::uint64_t room = settings_limit;
    const auto add = [&](const std::string& directory, const std::string& name, auto judge) {
        OldSetting setting = look_at_setting(installation, directory + "/" + name, room);
        setting.mode = directory == "alias" ? setting.mode : 0644;
        if (setting.fate == Fate::take) judge(name, setting);
        if (setting.fate == Fate::take && taken.contains(setting.path)) {
            setting.fate = Fate::taken;
            setting.text = "taken before: what is there now stays";
        }
        if (plan != nullptr) set_owner(setting, *plan);
        all.push_back(std::move(setting));
    };
    for (const std::string& name : names_of(installation, "control")) add("control", name, judge_control);
    const auto nothing = [](const std::string&, OldSetting&) {};
    const auto users = names_of(installation, "users");
    if (std::ranges::find(users, "assign") != users.end())
        add("users", "assign", nothing);
    else if (std::ranges::find(users, "cdb") != users.end())
        all.push_back({.path = "users/cdb",
                       .fate = Fate::by_hand,
                       .text = "without users/assign, which it was made from: write that anew"});
    for (const std::string& name : names_of(installation, "alias")) add("alias", name, judge_alias);
    return all;
}

void take_settings(const Plan& plan, const std::vector<OldSetting>& settings) {
    const auto root = plan.tree->directory("");
    if (!root) throw_errno("open", plan.home.directory());
    Fd taken;
    for (const OldSetting& setting : settings) {
        if (setting.fate != Fate::take) continue;
        const auto directory = plan.tree->directory(parent_of(setting.path));
        if (!directory) throw_errno("open", plan.tree->path_of(parent_of(setting.path)));
        const std::string name = name_of(setting.path), beside = name.substr(0, beside_limit) + ".new";
        if (::unlinkat(directory->fd(), beside.c_str(), 0) != 0 && errno != ENOENT)
            throw_errno("remove", directory->path_of(beside));
        const Fd file = directory->open(beside, O_WRONLY | O_CREAT | O_EXCL, 0600);
        write_all(file.get(), setting.content, Deadline::never());
        if (sys::fsync(file.get()) != 0) throw_errno("sync", directory->path_of(beside));
        set_owner_and_mode(file.get(), directory->path_of(beside), setting.owner, setting.mode);
        if (::renameat(directory->fd(), beside.c_str(), directory->fd(), name.c_str()) != 0)
            throw_errno("rename to", directory->path_of(name));
        // At once: after an end on the way the next run knows these.
        if (!taken) taken = root->open(ledger, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0644);
        write_all(taken.get(), setting.path + "\n", Deadline::never());
    }
    if (taken && sys::fsync(taken.get()) != 0) throw_errno("sync", root->path_of(ledger));
}

}  // namespace relais::setup
