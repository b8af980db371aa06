#include "keyd/dkim_files.h"

#include <dirent.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "net/dns_name.h"

namespace relais::keyd {
namespace {

constexpr mode_t directory_mode = 0700;
constexpr mode_t file_mode = 0400;

std::string dkim_directory(const control::Home& home) {
    return home.path("control/dkim");
}

void make_directory(const std::string& path, const std::string& parent) {
    if (::mkdir(path.c_str(), directory_mode) == 0)
        sync_directory(parent);
    else if (errno != EEXIST)
        throw_errno("make", path);
}

std::vector<std::string> selectors_in(const std::string& path) {
    std::vector<std::string> names;
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(path.c_str()), ::closedir);
    if (!directory && errno == ENOENT) return names;
    if (!directory) throw_errno("open", path);
    while (const dirent* entry = ::readdir(directory.get())) {
        const std::string name = entry->d_name;
        // What an interrupted write has left is no selector.
        if (net::is_askable_name(name) && lower(name) == name && name.find('/') == std::string::npos)
            names.push_back(name);
    }
    std::sort(names.begin(), names.end());
    return names;
}

void check_secrecy(const std::string& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) throw_errno("look at", path);
    if ((status.st_mode & 077) != 0)
        throw_permanent(
            path +
            " holds a private key and others may read it: chmod 400 it, and make a new key if they may have");
}

}  // namespace

std::string checked_dkim_name(std::string_view name, std::string_view what) {
    if (name.ends_with('.')) name.remove_suffix(1);
    if (!net::is_askable_name(name) || name.find('/') != std::string_view::npos)
        throw_permanent("\"" + std::string(name) + "\" is no " + std::string(what));
    return lower(name);
}

std::vector<std::string> list_dkim_selectors(const control::Home& home, std::string_view domain) {
    return selectors_in(dkim_directory(home) + "/" + checked_dkim_name(domain, "domain"));
}

std::vector<DkimKeyFile> read_dkim_keys(const control::Home& home, std::string_view domain,
                                        std::string_view selector) {
    const std::string name = checked_dkim_name(domain, "domain");
    const std::string directory = dkim_directory(home) + "/" + name;
    std::vector<std::string> selectors;
    if (selector.empty())
        selectors = selectors_in(directory);
    else
        selectors.push_back(checked_dkim_name(selector, "selector"));
    std::vector<DkimKeyFile> keys;
    for (const std::string& each : selectors) {
        const std::string path = directory + "/" + each;
        const auto pem = read_file(path, dkim_key_limit);
        if (!pem) continue;
        check_secrecy(path);
        keys.push_back({name, each, path, authres::PrivateKey::parse(*pem, path)});
    }
    if (keys.empty()) throw_permanent("there is no key in " + directory + " (dkim-key make " + name + ")");
    return keys;
}

DkimKeyFile make_dkim_key(const control::Home& home, std::string_view domain, std::string_view selector,
                          authres::KeyType type, const std::function<void()>& prepare) {
    DkimKeyFile file{checked_dkim_name(domain, "domain"), checked_dkim_name(selector, "selector"), "",
                     nullptr};
    if (!net::is_askable_name(file.record_name()))
        throw_permanent(file.record_name() + " is too long for DNS");
    const std::string top = dkim_directory(home);
    const std::string directory = top + "/" + file.domain;
    file.path = directory + "/" + file.selector;
    make_directory(top, home.path("control"));
    make_directory(directory, top);
    struct stat status {};
    if (::lstat(file.path.c_str(), &status) == 0)
        throw_permanent(file.path + " exists: a key is never overwritten, take another selector");
    if (errno != ENOENT) throw_errno("look at", file.path);
    file.key = authres::PrivateKey::make(type);
    prepare();
    replace_file(file.path, file.key->pem(), file_mode);
    return file;
}

}  // namespace relais::keyd
