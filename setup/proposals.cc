#include "setup/proposals.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

#include "base/io.h"
#include "base/text.h"

namespace relais::setup {

using Fate = OldSetting::Fate;

namespace {

// Whether that is what the file below the instance has.
bool holds(const Plan& plan, const std::string& path, const std::string& content) {
    struct stat status {};
    const auto directory = plan.tree->directory(parent_of(path));
    if (!directory) return false;
    const Fd file = directory->try_open(name_of(path), O_RDONLY | O_NONBLOCK | O_NOFOLLOW);
    return file && ::fstat(file.get(), &status) == 0 && S_ISREG(status.st_mode) &&
           static_cast<std::uint64_t>(status.st_size) == content.size() &&
           read_to_end(file.get(), content.size() + 1, Deadline::never()) == content;
}

// The .qmail files of root, postmaster and mailer-daemon, as qmail-setup wrote them.
bool is_as_made(const Plan& plan, const std::string& path) {
    return std::ranges::any_of(layout(plan), [&](const Piece& piece) {
        return piece.path == path && piece.content && holds(plan, path, piece.content());
    });
}

// What the instance has itself stays; other mail than that is somebody's to decide.
void judge_own(const Plan& plan, OldSetting& setting) {
    const bool apart = setting.path == "users/assign" || setting.path.starts_with("alias/");
    if (setting.fate != Fate::take || !apart || !plan.tree->look(setting.path) ||
        is_as_made(plan, setting.path))
        return;
    setting.fate = holds(plan, setting.path, setting.content) ? Fate::stays : Fate::by_hand;
    setting.text = "the instance has its own; this one would be " + setting.text;
}

}  // namespace

Proposals::File& Proposals::file(const std::string& path, const std::string& from) {
    const auto found =
        std::ranges::find_if(files_, [&](const File& each) { return each.setting.path == path; });
    File& it = found != files_.end()
                   ? *found
                   : files_.emplace_back(File{.setting = {.path = path}, .from = {}, .last = ""});
    if (std::ranges::find(it.from, from) == it.from.end()) it.from.push_back(from);
    return it;
}

void Proposals::line(const std::string& path, const std::string& text, const std::string& from) {
    File& it = file(path, from);
    if (!it.lines.insert(text).second) return;
    // users/assign has no comments.
    if (it.last != from && path != "users/assign") it.setting.content += "# " + system_ + ": " + from + "\n";
    it.last = from;
    it.setting.content += text + "\n";
}

void Proposals::end(const std::string& path, const std::string& text) {
    const auto found =
        std::ranges::find_if(files_, [&](const File& each) { return each.setting.path == path; });
    if (found != files_.end()) found->setting.content += text + "\n";
}

void Proposals::value(const std::string& path, const std::string& text, const std::string& from) {
    file(path, from).setting.content = text + "\n";
}

void Proposals::by_hand(const std::string& from, const std::string& text) {
    rest_.push_back({.path = from, .fate = Fate::by_hand, .text = text});
}

void Proposals::unknown(const std::string& from, const std::string& text) {
    rest_.push_back({.path = from, .fate = Fate::unknown, .text = text});
}

std::string Proposals::content(const std::string& path) const {
    const auto found =
        std::ranges::find_if(files_, [&](const File& each) { return each.setting.path == path; });
    return found != files_.end() ? found->setting.content : "";
}

std::set<std::string> Proposals::by_hand_names() const {
    std::set<std::string> all;
    for (const OldSetting& each : rest_)
        if (each.fate == Fate::by_hand) all.insert(each.path);
    return all;
}

std::vector<OldSetting> Proposals::take(const Plan& plan) {
    const auto taken = settings_taken(plan);
    std::vector<OldSetting> all;
    for (File& each : files_) {
        OldSetting& setting = each.setting;
        setting.text = "from";
        for (const std::string& from : each.from)
            setting.text += (setting.text == "from" ? " " : ", ") + from;
        if (taken.contains(setting.path)) {
            setting.fate = Fate::taken;
            setting.text = "taken before: what is there now stays";
        }
        judge_own(plan, setting);
        set_owner(setting, plan);
        // Routes without a password are for everybody to read.
        if (setting.mode == 0400 && setting.content.find('|') == std::string::npos) {
            setting.owner = plan.identity.administrator();
            setting.mode = 0644;
        }
        all.push_back(std::move(setting));
    }
    files_.clear();
    std::ranges::move(rest_, std::back_inserter(all));
    rest_.clear();
    return all;
}

std::string with_domain(const std::string& address, const std::string& domain) {
    if (address.empty() || domain.empty() || address.find('@') != std::string::npos) return address;
    return address + "@" + domain;
}

bool is_plain(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](char c) {
        const auto octet = static_cast<unsigned char>(c);
        return octet > 32 && octet != 127;
    });
}

std::string extension_of(std::string_view address) {
    if (!is_plain(address) || address.find('/') != address.npos || address.size() > 200) return "";
    std::string name = lower(address);
    std::ranges::replace(name, '.', ':');
    return name;
}

bool is_domain_name(std::string_view text) {
    return is_plain(text) && text.size() <= 255 && std::ranges::all_of(text, [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '.' || c == '-' || c == '_' || static_cast<unsigned char>(c) > 127;
           });
}

}  // namespace relais::setup
