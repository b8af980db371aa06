#include "setup/proposals.h"

#include <algorithm>

#include "base/text.h"

namespace relais::setup {

using Fate = OldSetting::Fate;

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

bool Proposals::has(const std::string& path) const {
    return std::ranges::any_of(files_, [&](const File& each) { return each.setting.path == path; });
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
        const bool apart = setting.path == "users/assign" || setting.path.starts_with("alias/");
        if (setting.fate == Fate::take && apart && plan.tree->look(setting.path)) {
            setting.fate = Fate::stays;
            setting.text = "the instance has its own; this one would be " + setting.text;
        }
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
