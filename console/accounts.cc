#include "console/accounts.h"

#include <sodium.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "auth/users_directory.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/program.h"
#include "base/text.h"
#include "base/time.h"
#include "base/words.h"
#include "console/sessions.h"

namespace relais::console {
namespace {

constexpr std::size_t file_limit = 1 << 20;
constexpr mode_t private_mode = 0600;
constexpr std::int64_t once_lifetime = 600;
// What no operator is called.
constexpr std::string_view everybody = "*";
constexpr std::size_t endings_kept = 1000;

std::string operators_path(const control::Home& home) {
    return home.path("users/operators");
}
std::string ended_path(const control::Home& home) {
    return home.path("users/console-ended");
}
std::string once_path(const control::Home& home) {
    return home.path("users/console-once");
}

void replace(const control::Home& home, const std::string& path, const std::string& content) {
    replace_file(path, content, private_mode, [&](int fd) { auth::give_to_owner_of_users(home, fd); });
}

void write_operators(const control::Home& home, const std::vector<Operator>& all) {
    std::string content;
    for (const Operator& each : all)
        content += each.name + ":" + std::string(role_name(each.role)) + ":" + each.hash + "\n";
    replace(home, operators_path(home), content);
}

std::string hash_of(std::string_view secret) {
    std::array<unsigned char, crypto_generichash_BYTES> hash;
    ::crypto_generichash(hash.data(), hash.size(), reinterpret_cast<const unsigned char*>(secret.data()),
                         secret.size(), nullptr, 0);
    std::string text(2 * hash.size() + 1, '\0');
    ::sodium_bin2hex(text.data(), text.size(), hash.data(), hash.size());
    text.pop_back();
    return text;
}

}  // namespace

bool is_operator_name(std::string_view name) {
    return !name.empty() && name.size() <= name_limit && name.front() != '-' &&
           std::all_of(name.begin(), name.end(), [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '.' || c == '-' || c == '_' || c == '@';
           });
}

std::vector<Operator> parse_operators(std::string_view text, std::vector<std::size_t>* wrong) {
    std::vector<Operator> all;
    std::size_t number = 0;
    for (const std::string_view raw : split(text, '\n')) {
        ++number;
        const std::string_view line = trim(raw);
        if (line.empty() || line.front() == '#') continue;
        const auto fields = split(line, ':');
        const auto role = fields.size() == 3 ? parse_role(fields[1]) : std::nullopt;
        if (role && is_operator_name(fields[0]) && !fields[2].empty())
            all.push_back({std::string(fields[0]), *role, std::string(fields[2])});
        else if (wrong != nullptr)
            wrong->push_back(number);
    }
    return all;
}

std::vector<Operator> read_operators(const control::Home& home) {
    std::vector<std::size_t> wrong;
    auto all = parse_operators(read_file(operators_path(home), file_limit).value_or(""), &wrong);
    for (const std::size_t number : wrong)
        log_line("warning: users/operators, line " + std::to_string(number) +
                 " is left out: it is not NAME:ROLE:HASH (qmail-console --passwd NAME makes one)");
    return all;
}

bool is_operator(const control::Home& home, std::string_view name) {
    const auto all = read_operators(home);
    return std::any_of(all.begin(), all.end(), [&](const Operator& each) { return each.name == name; });
}

void set_operator(const control::Home& home, const Operator& account) {
    const Fd lock = auth::lock_users(home);
    auto all = read_operators(home);
    std::erase_if(all, [&](const Operator& each) { return each.name == account.name; });
    all.push_back(account);
    write_operators(home, all);
}

bool remove_operator(const control::Home& home, std::string_view name) {
    const Fd lock = auth::lock_users(home);
    auto all = read_operators(home);
    if (std::erase_if(all, [&](const Operator& each) { return each.name == name; }) == 0) return false;
    write_operators(home, all);
    return true;
}

void end_sessions(const control::Home& home, const std::string& name) {
    const Fd lock = auth::lock_users(home);
    const std::string whose = name.empty() ? std::string(everybody) : name;
    const std::string before = read_file(ended_path(home), file_limit).value_or("");
    std::string content = whose + " " + new_secret() + "\n";
    std::size_t lines = 1;
    // The newest first. A line that is pushed out ends that one's sessions once more, and nothing else.
    for (const std::string_view line : split(before, '\n')) {
        const auto words = words_of(line);
        if (words.size() != 2 || words[0] == whose || ++lines > endings_kept) continue;
        content += std::string(line) + "\n";
    }
    replace(home, ended_path(home), content);
}

std::string ending_of(const control::Home& home, std::string_view name) {
    const std::string before = read_file(ended_path(home), file_limit).value_or("");
    std::string found;
    for (const std::string_view line : split(before, '\n')) {
        const auto words = words_of(line);
        if (words.size() == 2 && (words[0] == everybody || words[0] == name))
            found += std::string(words[0]) + " " + std::string(words[1]) + "\n";
    }
    return found;
}

std::string make_once(const control::Home& home, Role role) {
    const Fd lock = auth::lock_users(home);
    const std::string secret = new_secret();
    replace(home, once_path(home),
            hash_of(secret) + " " + std::to_string(now_seconds() + once_lifetime) + " " +
                std::string(role_name(role)) + "\n");
    return secret;
}

// Without a lock, which anybody may hold who can read the directory: the file is replaced as a whole.
std::optional<Role> take_once(const control::Home& home, std::string_view secret) {
    const std::string path = once_path(home);
    const auto content = read_file(path, file_limit);
    if (!content) return std::nullopt;
    const auto words = words_of(trim(*content));
    if (words.size() != 3) return std::nullopt;
    const auto until = parse_number(words[1]);
    if (!until || static_cast<std::int64_t>(*until) < now_seconds() ||
        !same_secret(words[0], hash_of(secret)))
        return std::nullopt;
    const auto role = parse_role(words[2]);
    if (::unlink(path.c_str()) != 0) throw_errno("remove", path);
    return role;
}

}  // namespace relais::console
