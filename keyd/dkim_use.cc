#include "keyd/dkim_use.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "keyd/mail_keys.h"

namespace relais::keyd {
namespace {

constexpr std::size_t list_limit = 65536;
constexpr mode_t list_mode = 0600;

std::string folder(const control::Home& home, std::string_view domain) {
    return home.control_file(std::string(mail_key_folder)) + std::string(domain) + "/";
}

std::string in_use_file(const control::Home& home, std::string_view domain) {
    return folder(home, domain) + std::string(selectors_in_use);
}

std::string retired_file(const control::Home& home, std::string_view domain) {
    return folder(home, domain) + ".retired";
}

bool contains(const std::vector<std::string>& all, const std::string& one) {
    return std::find(all.begin(), all.end(), one) != all.end();
}

}  // namespace

bool DkimUse::uses(const std::string& selector) const {
    return !in_use || contains(*in_use, selector);
}

DkimUse read_dkim_use(const control::Home& home, std::string_view domain) {
    DkimUse use;
    if (const auto text = read_file(in_use_file(home, domain), list_limit))
        use.in_use = read_selectors(*text);
    const std::string retired = read_file(retired_file(home, domain), list_limit).value_or("");
    for (const std::string_view line : split(retired, '\n')) {
        const std::size_t blank = line.find(' ');
        if (blank == std::string_view::npos) continue;
        const auto when = parse_number(line.substr(blank + 1));
        if (when) use.retired[std::string(line.substr(0, blank))] = static_cast<std::int64_t>(*when);
    }
    return use;
}

void write_dkim_use(const control::Home& home, std::string_view domain, const DkimUse& use) {
    std::string retired;
    for (const auto& [selector, when] : use.retired) retired += selector + " " + std::to_string(when) + "\n";
    replace_file(retired_file(home, domain), retired, list_mode);
    if (!use.in_use) return;
    std::string in_use;
    for (const std::string& selector : *use.in_use) in_use += selector + "\n";
    replace_file(in_use_file(home, domain), in_use, list_mode);
}

void remove_dkim_key(const control::Home& home, std::string_view domain, const std::string& selector) {
    const std::string path = folder(home, domain) + selector;
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) throw_errno("remove", path);
    sync_directory(folder(home, domain));
}

DkimUse with_keys(DkimUse use, std::vector<std::string> selectors, const std::vector<std::string>& all,
                  std::int64_t now) {
    for (const std::string& selector : all)
        if (use.uses(selector) && !contains(selectors, selector)) use.retired.emplace(selector, now);
    for (const std::string& selector : selectors) use.retired.erase(selector);
    use.in_use = std::move(selectors);
    return use;
}

std::vector<std::string> retired_before(const DkimUse& use, std::int64_t moment) {
    std::vector<std::string> found;
    for (const auto& [selector, when] : use.retired)
        if (when < moment) found.push_back(selector);
    return found;
}

}  // namespace relais::keyd
