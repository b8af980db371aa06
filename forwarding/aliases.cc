#include "forwarding/aliases.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <map>

#include "base/cdb.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/printable.h"
#include "base/text.h"
#include "control/owners.h"
#include "control/setting.h"
#include "forwarding/expansion.h"
#include "mail/address_list.h"

namespace relais::forwarding {
namespace {

constexpr std::size_t file_limit = std::size_t{64} << 20;
constexpr std::size_t name_limit = 255;
constexpr std::string_view include_word = ":include:";

std::string_view trimmed(std::string_view text) {
    const std::size_t begin = text.find_first_not_of(" \t\r");
    if (begin == std::string_view::npos) return {};
    return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

// Where the first of that character stands that is neither quoted nor in a comment; npos if none does.
std::size_t find_plain(std::string_view text, char wanted) {
    bool quoted = false;
    int depth = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (c == '\\') {
            ++i;
        } else if (c == '"') {
            quoted = !quoted;
        } else if (!quoted && c == '(') {
            ++depth;
        } else if (!quoted && c == ')' && depth > 0) {
            --depth;
        } else if (!quoted && depth == 0 && c == wanted) {
            return i;
        }
    }
    return std::string_view::npos;
}

std::vector<std::string_view> items_of(std::string_view text) {
    std::vector<std::string_view> items;
    for (;;) {
        const std::size_t comma = find_plain(text, ',');
        if (const std::string_view item = trimmed(text.substr(0, comma)); !item.empty())
            items.push_back(item);
        if (comma == std::string_view::npos) return items;
        text.remove_prefix(comma + 1);
    }
}

// What is in the quotes, if all of it is in them; else the text.
std::string unquoted(std::string_view text) {
    if (text.size() < 2 || text.front() != '"' || text.back() != '"') return std::string(text);
    std::string result;
    for (std::size_t i = 1; i + 1 < text.size(); ++i) {
        if (text[i] == '\\' && i + 2 < text.size()) ++i;
        result += text[i];
    }
    return result;
}

// "&ADDRESS", or "&NAME@" for a name of this host.
std::string address_command(std::string_view item) {
    auto list = mail::parse_address_list(item);
    if (!list || list->size() != 1 || list->front().group || list->front().addresses.size() != 1)
        throw_permanent("this is no address: " + printable(item));
    const mail::ListedAddress& address = list->front().addresses.front();
    if (address.local.empty() || address.local.front() == '/' || address.local.front() == '|')
        throw_permanent("this is no address: " + printable(item));
    const std::string command = "&" + (address.has_domain ? address.address() : lower(address.local) + "@");
    if (command.size() > recipient_limit + 1) throw_permanent("an address has 800 octets at most");
    if (command.find_first_of(std::string_view("\0\n", 2)) != std::string::npos)
        throw_permanent("an address holds no line feed and no NUL");
    return command;
}

std::string command_of(std::string_view item) {
    const std::string text = unquoted(item);
    if (text.starts_with('|')) {
        if (trimmed(std::string_view(text).substr(1)).empty()) throw_permanent("a | without a command");
        return "!" + std::string(trimmed(std::string_view(text).substr(1)));
    }
    if (text == "/dev/null") return "|exit 0";
    if (text.starts_with('/'))
        throw_permanent("mail is delivered into files by .qmail files alone: write " + printable(text) +
                        " into ~alias/.qmail-NAME, and leave the name out here");
    if (equal_ignoring_case(text.substr(0, include_word.size()), include_word)) {
        const std::string path(trimmed(std::string_view(text).substr(include_word.size())));
        if (!path.starts_with('/')) throw_permanent(":include: takes a path that begins with /");
        return ":" + path;
    }
    // A name that is no alias any more: it goes through the queue once, as an address of this host.
    if (item.starts_with('\\')) {
        const std::string name = address_command(item.substr(1));
        return name.ends_with('@') ? name.substr(0, name.size() - 1) : name;
    }
    return address_command(item);
}

struct Alias {
    std::size_t line = 0;
    std::string commands;
};
using Aliases = std::map<std::string, Alias>;

[[noreturn]] void refuse(std::size_t line, std::string_view why) {
    throw_permanent(fmt::format("line {}: {}", line, why));
}

std::string name_of(std::string_view text) {
    const std::string name = lower(unquoted(trimmed(text)));
    if (name.empty()) throw_permanent("there is no name before the colon");
    if (name.size() > name_limit) throw_permanent("a name has 255 octets at most");
    for (const char c : name)
        if (c == '@' || c == '\0' || static_cast<unsigned char>(c) < ' ')
            throw_permanent("a name here has no @ and no control characters: " + printable(name));
    return name;
}

void add_line(Aliases& aliases, std::size_t number, const std::string& line) {
    try {
        const std::size_t colon = find_plain(line, ':');
        if (colon == std::string::npos) throw_permanent("it has no colon: " + printable(line.substr(0, 60)));
        const std::string name = name_of(std::string_view(line).substr(0, colon));
        Alias alias{number, {}};
        for (const std::string_view item : items_of(std::string_view(line).substr(colon + 1)))
            alias.commands.append(command_of(item)).append(1, '\0');
        if (alias.commands.empty()) throw_permanent("nobody stands behind " + printable(name));
        const auto [there, fresh] = aliases.emplace(name, std::move(alias));
        if (!fresh)
            throw_permanent(fmt::format("{} stands in line {} too", printable(name), there->second.line));
    } catch (const Error& error) {
        refuse(number, error.what());
    }
}

// Two that name each other would take mail and give it to nobody.
void refuse_circles(const Aliases& aliases, const Find& find) {
    for (const auto& [name, alias] : aliases) {
        bool includes = false;
        const auto result = expand(name + "@", "", find, [&](const std::string&) {
            includes = true;
            return std::string();
        });
        if (!includes && (!result || (result->programs.empty() && result->recipients.empty())))
            refuse(alias.line, printable(name) + " leads to itself, and to nobody else");
    }
}

std::string read_source(const std::string& path, const control::Home& home) {
    const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    struct stat info {};
    if (!file || ::fstat(file.get(), &info) != 0) throw_errno("read", path);
    if (!S_ISREG(info.st_mode)) throw_permanent(path + " is not a plain file");
    const control::Owners owners = control::Owners::read_incomplete(home);
    const bool trusted =
        info.st_uid == 0 || info.st_uid == ::geteuid() || info.st_uid == owners.of(control::Role::alias).uid;
    if (!trusted || (info.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        throw_permanent(
            fmt::format("others than root and alias may write {}, and it names commands that run as "
                        "alias: chown root and chmod go-w it",
                        path));
    return read_to_end(file.get(), file_limit, Deadline::never());
}

}  // namespace

std::vector<Record> parse_aliases(std::string_view text, const std::string& domain) {
    Aliases aliases;
    std::string logical;
    std::size_t number = 0, begun = 0;
    const auto end_line = [&] {
        if (!logical.empty()) add_line(aliases, begun, logical);
        logical.clear();
    };
    for (const std::string_view line : split(text, '\n')) {
        ++number;
        if (line.find('\0') != std::string_view::npos) refuse(number, "it holds a NUL");
        if (trimmed(line).empty() || line.starts_with('#')) continue;
        const bool goes_on = line.front() == ' ' || line.front() == '\t';
        if (!goes_on) {
            end_line();
            begun = number;
        } else if (logical.empty()) {
            refuse(number, "it begins with a blank, and there is no line before it to go on with");
        }
        logical.append(goes_on ? " " : "").append(trimmed(line));
    }
    end_line();

    const Find find = [&](const std::string& key) -> std::optional<std::string> {
        if (!key.starts_with(':') || !key.ends_with('@')) return std::nullopt;
        const auto found = aliases.find(key.substr(1, key.size() - 2));
        return found == aliases.end() ? std::nullopt : std::optional(found->second.commands);
    };
    refuse_circles(aliases, find);
    std::vector<Record> records;
    for (const auto& [name, alias] : aliases) {
        records.push_back({":" + name + "@", alias.commands});
        const std::string owner = "owner-" + name;
        if (aliases.contains(owner)) records.push_back({"?" + name + "@", owner + "@" + domain});
    }
    return records;
}

std::string parse_include(std::string_view text) {
    std::string commands;
    for (std::string_view line : split(text, '\n')) {
        line = trimmed(line);
        if (line.empty() || line.front() == '#') continue;
        for (const std::string_view item : items_of(line)) try {
                commands.append(address_command(item)).append(1, '\0');
            } catch (const Error&) {
                // Not what stands there: it may be a file that who wrote the list could not read.
                throw Error(Reaction::temporary, "a line of it is no address");
            }
    }
    return commands;
}

CompiledAliases compile_aliases(const control::Home& home) {
    const std::string setting = control::read<"aliases">(home);
    if (setting.empty())
        throw_permanent(
            "there is no alias database to build: aliases are the .qmail files in ~alias, unless "
            "control/aliases "
            "names a file of them");
    CompiledAliases compiled{setting.starts_with('/') ? setting : home.path(setting), 0};
    std::vector<Record> records;
    const std::string text = read_source(compiled.source, home);
    try {
        records = parse_aliases(text, control::read<"me">(home));
    } catch (const Error& error) {
        throw_permanent(compiled.source + ": " + error.what());
    }
    CdbWriter writer(home.path("users/aliases.cdb"), home.path("users/aliases.tmp"));
    for (const Record& record : records) {
        writer.add(record.key, record.data);
        compiled.aliases += record.key.starts_with(':') ? 1 : 0;
    }
    writer.commit();
    return compiled;
}

}  // namespace relais::forwarding
