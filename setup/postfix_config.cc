#include "setup/postfix_config.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <iterator>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "control/enter.h"
#include "setup/command.h"

namespace relais::setup {
namespace {

constexpr std::size_t file_limit = std::size_t{16} << 20;
constexpr std::size_t map_limit = std::size_t{64} << 20;
constexpr Seconds patience{60};
// Names that are asked for whether main.cf says them or not.
const std::vector<std::string> with_defaults = {"alias_maps",
                                                "maximal_queue_lifetime",
                                                "message_size_limit",
                                                "mydestination",
                                                "mydomain",
                                                "myhostname",
                                                "mynetworks",
                                                "myorigin",
                                                "queue_directory",
                                                "recipient_delimiter",
                                                "relay_domains",
                                                "smtpd_recipient_restrictions",
                                                "smtpd_relay_restrictions",
                                                "virtual_alias_domains",
                                                "virtual_alias_maps",
                                                "virtual_gid_maps",
                                                "virtual_mailbox_base",
                                                "virtual_mailbox_domains",
                                                "virtual_mailbox_maps",
                                                "virtual_transport",
                                                "virtual_uid_maps"};

std::string ask(std::vector<std::string> words) {
    const CommandResult result = capture(words, Deadline::in(patience));
    if (!result.ok()) throw_permanent(words[0] + " failed: " + std::string(trim(result.output)));
    return result.output;
}

bool is_writable_by_others(const struct stat& file) {
    return (file.st_uid != 0 && file.st_uid != ::geteuid()) || (file.st_mode & 022) != 0;
}

// Lines of a file of names, without comments.
std::vector<std::string> file_lines(const std::string& path, std::vector<std::string>& missed) {
    std::vector<std::string> lines;
    const auto text = read_file(path, file_limit);
    if (!text) {
        missed.push_back(path + " (no such file)");
        return lines;
    }
    for (const std::string_view line : split(*text, '\n')) {
        const std::string_view words = trim(line.substr(0, line.find('#')));
        for (std::string& word : list_of(words)) lines.push_back(std::move(word));
    }
    return lines;
}

// Addresses that a table of CIDR patterns has; each of its patterns counts, whatever it is mapped to.
std::vector<std::string> cidr_networks(const std::string& path, std::vector<std::string>& missed) {
    std::vector<std::string> all;
    const auto text = read_file(path, file_limit);
    if (!text) missed.push_back(path + " (no such file)");
    for (const std::string_view line : split(text.value_or(""), '\n')) {
        if (line.empty() || line.front() == '#' || line.front() == ' ' || line.front() == '\t') continue;
        const std::string pattern(line.substr(0, line.find_first_of(" \t\r")));
        if (pattern.find_first_of(".:") == pattern.npos || pattern.starts_with('!')) {
            missed.push_back(path + " (it has more than plain patterns)");
            return {};
        }
        all.push_back(pattern);
    }
    return all;
}

// An IPv6 address has colons too.
bool is_map(std::string_view word) {
    constexpr std::string_view types[] = {
        "btree",    "cdb",       "dbm",    "environ", "fail",  "hash",     "inline",   "ldap",    "lmdb",
        "memcache", "mysql",     "nis",    "pcre",    "pgsql", "pipemap",  "proxy",    "randmap", "regexp",
        "sdbm",     "socketmap", "sqlite", "static",  "tcp",   "texthash", "unionmap", "unix"};
    const std::size_t colon = word.find(':');
    return colon != word.npos && std::ranges::find(types, word.substr(0, colon)) != std::ranges::end(types);
}

}  // namespace

std::map<std::string, std::string> parse_settings(std::string_view text) {
    std::map<std::string, std::string> all;
    for (const std::string_view line : split(text, '\n')) {
        const std::size_t equals = line.find('=');
        if (equals == std::string_view::npos) continue;
        const std::string_view name = trim(line.substr(0, equals));
        const bool plain = !name.empty() && std::ranges::all_of(name, [](char c) {
            return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
        });
        if (plain) all.insert_or_assign(std::string(name), std::string(trim(line.substr(equals + 1))));
    }
    return all;
}

std::vector<std::string> list_of(std::string_view value) {
    std::vector<std::string> all;
    std::string word;
    const auto end = [&] {
        if (!word.empty()) all.push_back(std::exchange(word, {}));
    };
    for (const char c : value) {
        if (c == ',' || c == ' ' || c == '\t' || c == '\n' || c == '\r')
            end();
        else
            word.push_back(c);
    }
    end();
    return all;
}

std::optional<NextHop> parse_next_hop(std::string_view text) {
    NextHop hop;
    if (text.starts_with('[')) {
        const std::size_t end = text.find(']');
        if (end == text.npos || end == 1) return std::nullopt;
        hop.exact = true;
        hop.host = text.substr(1, end - 1);
        text.remove_prefix(end + 1);
        if (starts_ignoring_case(hop.host, "ipv6:")) hop.host.erase(0, 5);
    } else {
        const std::size_t colon = std::min(text.find(':'), text.size());
        hop.host = text.substr(0, colon);
        text.remove_prefix(colon);
    }
    if (hop.host.find_first_of("|, \t#") != hop.host.npos) return std::nullopt;
    if (text.empty()) return hop;
    if (!text.starts_with(':')) return std::nullopt;
    text.remove_prefix(1);
    const auto port = text == "smtp"                             ? 25
                      : text == "submission"                     ? 587
                      : text == "submissions" || text == "smtps" ? 465
                                                                 : parse_number(text).value_or(0);
    if (port == 0 || port > 65535) return std::nullopt;
    hop.port = static_cast<unsigned>(port);
    return hop;
}

std::optional<std::uint64_t> parse_span(std::string_view text, char unit) {
    text = trim(text);
    if (!text.empty() && text.back() >= 'a' && text.back() <= 'z') {
        unit = text.back();
        text.remove_suffix(1);
    }
    const auto number = parse_number(text);
    constexpr std::uint64_t most = std::uint64_t{1} << 31;
    const std::uint64_t seconds = unit == 's'   ? 1
                                  : unit == 'm' ? 60
                                  : unit == 'h' ? 3600
                                  : unit == 'd' ? 86400
                                  : unit == 'w' ? 604800
                                                : 0;
    if (!number || *number > most || seconds == 0) return std::nullopt;
    return *number * seconds;
}

std::vector<Override> parse_overrides(std::string_view text) {
    std::vector<Override> all;
    for (const std::string_view line : split(text, '\n')) {
        const std::string_view name = trim(line.substr(0, std::min(line.find('='), line.size())));
        const std::size_t slash = name.rfind('/');
        if (slash == name.npos || line.size() == name.size()) continue;
        const std::string_view setting = name.substr(slash + 1);
        if (setting == "mynetworks" || (setting.starts_with("smtpd_") && setting.ends_with("_restrictions")))
            all.push_back({std::string(name.substr(0, slash)), std::string(setting)});
    }
    return all;
}

void refuse_foreign_place(const std::string& path) {
    if (::geteuid() != 0) return;
    namespace fs = std::filesystem;
    const std::string place = fs::canonical(path);
    const fs::path led =
        fs::is_symlink(path) ? fs::path(path).parent_path() / fs::read_symlink(path) : fs::path(path);
    const std::string trouble =
        led.lexically_normal() == place ? control::foreign_parent(place) : path + " leads over several links";
    if (!trouble.empty())
        throw_permanent(trouble +
                        ": root reads settings only where nobody else can put others; copy them into a "
                        "directory of root's");
}

MapEntries parse_map(std::string_view text) {
    MapEntries all;
    for (const std::string_view line : split(text, '\n')) {
        const std::size_t tab = line.find('\t');
        if (tab == 0 || tab == line.npos) continue;
        all.emplace_back(line.substr(0, tab), trim(line.substr(tab + 1)));
    }
    return all;
}

PostfixConfig::PostfixConfig(const std::string& directory)
    : directory_(std::filesystem::weakly_canonical(std::filesystem::absolute(directory))) {
    struct stat file {
    }, folder{};
    const std::string path = directory_ + "/main.cf";
    if (::stat(path.c_str(), &file) != 0 || ::stat(directory_.c_str(), &folder) != 0)
        throw_errno("look at", path);
    if (is_writable_by_others(file) || is_writable_by_others(folder))
        throw_permanent("others may write " + path +
                        ": chown and chmod it, for it says which files are read as root");
    refuse_foreign_place(path);
    told_ = parse_settings(ask({"postconf", "-c", directory_, "-x", "-n"}));
    std::vector<std::string> words{"postconf", "-c", directory_, "-x"};
    words.insert(words.end(), with_defaults.begin(), with_defaults.end());
    defaults_ = parse_settings(ask(words));
    const CommandResult services = capture({"postconf", "-c", directory_, "-P"}, Deadline::in(patience));
    if (services.ok())
        overrides_ = parse_overrides(services.output);
    else
        overrides_trouble_ = trim(services.output);
}

std::string PostfixConfig::value(const std::string& name) const {
    for (const auto* from : {&told_, &defaults_})
        if (const auto found = from->find(name); found != from->end()) return found->second;
    return "";
}

std::string PostfixConfig::origin() const {
    const std::string origin = value("myorigin");
    if (!origin.starts_with('/')) return origin;
    std::vector<std::string> missed;
    const auto lines = file_lines(origin, missed);
    return lines.empty() ? value("myhostname") : lines.front();
}

std::optional<MapEntries> PostfixConfig::map(const std::string& map, std::string& why) const {
    if (const auto given = maps_.find(map); given != maps_.end()) return given->second;
    std::string plain = map;
    while (plain.starts_with("proxy:")) plain.erase(0, 6);
    const std::string type = plain.substr(0, plain.find(':'));
    constexpr std::string_view listed[] = {"hash", "btree", "lmdb",     "dbm",
                                           "sdbm", "cdb",   "texthash", "inline"};
    if (std::ranges::find(listed, type) == std::ranges::end(listed) || directory_.empty()) {
        why = "a map of type " + type + " cannot be listed";
        return std::nullopt;
    }
    const CommandResult result =
        capture({"postmap", "-c", directory_, "-s", plain}, Deadline::in(patience), {}, map_limit);
    if (result.ok() && result.output.size() < map_limit) return maps_[map] = parse_map(result.output);
    why = result.ok() ? "it has more than is taken at once" : std::string(trim(result.output));
    return std::nullopt;
}

std::vector<std::string> PostfixConfig::members(const std::string& value,
                                                std::vector<std::string>& missed) const {
    std::vector<std::string> all;
    for (const std::string& word : list_of(value)) {
        if (word.starts_with('!')) {
            missed.push_back(word + " (what is not in a list has no equivalent)");
        } else if (word.starts_with('/')) {
            for (std::string& line : file_lines(word, missed)) all.push_back(std::move(line));
        } else if (is_map(word)) {
            std::string why;
            const auto entries = map(word, why);
            if (!entries) missed.push_back(word + " (" + why + ")");
            if (entries)
                for (const auto& [key, unused] : *entries) all.push_back(key);
        } else {
            all.push_back(word);
        }
    }
    return all;
}

std::vector<std::string> PostfixConfig::networks(std::vector<std::string>& missed) const {
    std::vector<std::string> all;
    for (const std::string& word : list_of(value("mynetworks"))) {
        if (word.starts_with('/')) {
            std::ranges::move(file_lines(word, missed), std::back_inserter(all));
        } else if (word.starts_with("cidr:")) {
            std::ranges::move(cidr_networks(word.substr(5), missed), std::back_inserter(all));
        } else if (!is_map(word)) {
            all.push_back(word);
        } else if (std::string why; const auto entries = map(word, why)) {
            // A client is looked up by its address alone.
            for (const auto& [key, unused] : *entries)
                (key.find_first_of("/!") == key.npos ? all : missed).push_back(key);
        } else {
            missed.push_back(word + " (" + why + ")");
        }
    }
    return all;
}

}  // namespace relais::setup
