#include "local/pw2u.h"

#include <algorithm>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "local/user.h"

namespace relais::local {
namespace {

constexpr std::size_t file_limit = std::size_t{64} << 20;
constexpr std::string_view alias_user = "alias";

std::optional<std::vector<std::string>> lines_of(const control::Home& home, const std::string& name) {
    const auto text = read_file(home.path("users/" + name), file_limit);
    if (!text) return std::nullopt;
    std::vector<std::string> lines;
    for (std::string_view line : split(*text, '\n')) {
        line = line.substr(0, line.find_last_not_of(" \t\r") + 1);
        if (!line.empty() && line.front() != '#') lines.emplace_back(line);
    }
    return lines;
}

std::unordered_set<std::string> lower_set(const std::vector<std::string>& lines) {
    std::unordered_set<std::string> set;
    for (const std::string& line : lines) set.insert(lower(line));
    return set;
}

class Assignments {
  public:
    Assignments(const Pw2uFiles& files, const Pw2uOptions& options, const std::string& alias_home,
                const OwnerOf& owner_of)
        : files_(files), options_(options), alias_home_(alias_home), owner_of_(owner_of) {}

    void add_account(std::string_view line) {
        if (line.find('\0') != std::string_view::npos) return;
        const std::vector<std::string_view> fields = split(line, ':');
        if (fields.size() < 7) return;
        const std::string user(fields[0]);
        const auto uid = parse_id(fields[2]);
        if (!uid || *uid == 0 || !parse_id(fields[3])) return;
        const std::string home = user == alias_user ? alias_home_ : std::string(fields[5]);
        if (!is_wanted(user) || !has_home(home, *uid)) return;
        const std::string middle =
            ":" + user + ":" + std::string(fields[2]) + ":" + std::string(fields[3]) + ":" + home + ":";
        if (user == alias_user) text_ += "+" + middle + dash_field() + ":\n";
        const auto names = files_.mailnames.find(lower(user));
        for (const std::string& name :
             names != files_.mailnames.end() ? names->second : std::vector<std::string>{user})
            add_lines(name, middle, ":", dash_field());
        known_.emplace(user, middle);
    }

    void add_subuser(std::string_view line) {
        const std::vector<std::string_view> fields = split(line, ':');
        if (fields.size() < 4) return;
        const auto user = known_.find(std::string(fields[1]));
        if (user == known_.end()) missing(std::string(fields[1]) + " user for subuser");
        const std::string extension = dash_field() + std::string(fields[2]);
        add_lines(std::string(fields[0]), user->second, extension, extension + "-");
    }

    std::string finish() {
        if (known_.find(std::string(alias_user)) == known_.end()) missing(std::string(alias_user) + " user");
        for (const std::string& line : files_.subusers) add_subuser(line);
        return text_ + files_.append + ".\n";
    }

  private:
    [[noreturn]] static void missing(const std::string& what) {
        throw Error(Reaction::temporary, "unable to find " + what);
    }

    std::string dash_field() const { return options_.in_directories ? "-/:" : "-:"; }

    bool is_wanted(const std::string& user) const {
        const bool has_upper =
            std::any_of(user.begin(), user.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
        if (has_upper && !options_.upper_case) return false;
        if (files_.include && files_.include->count(lower(user)) == 0) return false;
        return files_.exclude.count(lower(user)) == 0;
    }

    bool has_home(const std::string& home, uid_t uid) const {
        using HomeCheck = Pw2uOptions::HomeCheck;
        if (options_.home_check == HomeCheck::none) return true;
        const auto owner = owner_of_(home);
        if (!owner && options_.home_check == HomeCheck::stop_at_missing)
            throw Error(Reaction::temporary, "unable to stat " + home);
        return owner == uid;
    }

    // The address itself and those behind it, with dash and extension of their .qmail files.
    void add_lines(const std::string& name, const std::string& middle, const std::string& exact,
                   const std::string& behind) {
        text_ += "=" + name + middle + exact + ":\n";
        if (options_.dash != '\0') text_ += "+" + name + options_.dash + middle + behind + ":\n";
    }

    const Pw2uFiles& files_;
    const Pw2uOptions& options_;
    const std::string& alias_home_;
    const OwnerOf& owner_of_;
    std::map<std::string, std::string> known_;  // user, and the fields between address and dash
    std::string text_;
};

}  // namespace

Pw2uFiles Pw2uFiles::read(const control::Home& home) {
    Pw2uFiles files;
    if (const auto lines = lines_of(home, "include")) files.include = lower_set(*lines);
    if (const auto lines = lines_of(home, "exclude")) files.exclude = lower_set(*lines);
    for (const std::string& line : lines_of(home, "mailnames").value_or(std::vector<std::string>{})) {
        const std::vector<std::string_view> fields = split(line, ':');
        auto& names = files.mailnames[lower(fields[0])];
        for (std::size_t i = 1; i < fields.size(); ++i)
            if (!fields[i].empty()) names.emplace_back(fields[i]);
    }
    files.subusers = lines_of(home, "subusers").value_or(std::vector<std::string>{});
    files.append = read_file(home.path("users/append"), file_limit).value_or("");
    if (!files.append.empty() && files.append.back() != '\n') files.append += '\n';
    return files;
}

std::string assign_of_passwd(std::string_view passwd, const Pw2uFiles& files, const Pw2uOptions& options,
                             const std::string& alias_home, const OwnerOf& owner_of) {
    Assignments assignments(files, options, alias_home, owner_of);
    for (const std::string_view line : split(passwd, '\n')) assignments.add_account(line);
    return assignments.finish();
}

}  // namespace relais::local
