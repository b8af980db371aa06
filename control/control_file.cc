#include "control/control_file.h"

#include <time.h>

#include <algorithm>

#include "base/error.h"
#include "base/file.h"
#include "base/idna.h"
#include "base/program.h"
#include "base/text.h"
#include "control/amount.h"
#include "control/directory_watch.h"
#include "control/watched.h"

namespace relais::control {
namespace {

constexpr std::size_t size_limit = std::size_t{16} << 20;

// True if the file changed within the last ticks of the kernel's clock (10 ms at most, doubled to be sure).
bool is_fresh(const struct stat& file) {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    const auto nanoseconds = [](const timespec& t) { return t.tv_sec * 1'000'000'000 + t.tv_nsec; };
    return nanoseconds(now) - nanoseconds(file.st_ctim) < 20'000'000;
}

bool is_link(const std::string& path) {
    struct stat file {};
    return ::lstat(path.c_str(), &file) == 0 && S_ISLNK(file.st_mode);
}

// Whoever watches what he reads learns of it before the file is opened, so that no change falls between.
std::optional<std::string> content_of(const Home& home, std::string_view name) {
    const std::string path = home.control_file(name);
    WatchList::note_read(path);
    return read_file(path, size_limit);
}

std::string_view without_trailing_blanks(std::string_view line) {
    const std::size_t last = line.find_last_not_of(" \t\r");
    return last == std::string_view::npos ? std::string_view() : line.substr(0, last + 1);
}

}  // namespace

std::optional<std::string> read_line(const Home& home, std::string_view name) {
    const auto content = content_of(home, name);
    if (!content) return std::nullopt;
    return std::string(without_trailing_blanks(std::string_view(*content).substr(0, content->find('\n'))));
}

std::optional<std::vector<std::string>> read_lines(const Home& home, std::string_view name) {
    const auto content = content_of(home, name);
    if (!content) return std::nullopt;
    std::vector<std::string> lines;
    for (std::string_view line : split(*content, '\n')) {
        line = without_trailing_blanks(line);
        if (!line.empty() && line.front() != '#') lines.emplace_back(line);
    }
    return lines;
}

std::uint64_t read_number(const Home& home, std::string_view name, std::uint64_t fallback) {
    const auto line = read_line(home, name);
    if (!line) return fallback;
    return parse_amount(*line).value_or(fallback);
}

std::string read_me(const Home& home) {
    auto me = read_line(home, "me");
    if (!me || me->empty())
        throw_permanent(
            "unable to read " + home.control_file("me") +
            ": it must hold this host's name (qmail-setup makes it; or: echo mail.example.org > " +
            home.control_file("me") + ")");
    return *me;
}

std::string read_line_or_me(const Home& home, std::string_view name) {
    auto line = read_line(home, name);
    return line ? *line : read_me(home);
}

DomainSet::DomainSet(const std::vector<std::string>& entries) {
    for (const std::string& entry : entries) entries_.insert(comparable(entry));
}

std::optional<std::string> DomainSet::match(std::string_view domain) const {
    if (domain.empty() || entries_.empty()) return std::nullopt;
    const std::string name = comparable(domain);
    if (entries_.contains(name)) return name;
    for (std::size_t dot = name.find('.'); dot != std::string::npos; dot = name.find('.', dot + 1)) {
        std::string suffix = name.substr(dot);
        if (entries_.contains(suffix)) return suffix;
    }
    return std::nullopt;
}

bool ChangeWatch::changed() {
    const std::uint64_t generation = DirectoryWatch::generation_of(path_);
    if (generation != 0 && generation == seen_generation_) return false;
    seen_generation_ = is_link(path_) ? 0 : generation;
    struct stat now {};
    const bool exists = ::stat(path_.c_str(), &now) == 0;
    const bool same =
        asked_ && !fresh_ && exists == existed_ &&
        (!exists ||
         (now.st_ino == last_.st_ino && now.st_dev == last_.st_dev && now.st_size == last_.st_size &&
          now.st_mtim.tv_sec == last_.st_mtim.tv_sec && now.st_mtim.tv_nsec == last_.st_mtim.tv_nsec &&
          now.st_ctim.tv_sec == last_.st_ctim.tv_sec && now.st_ctim.tv_nsec == last_.st_ctim.tv_nsec));
    asked_ = true;
    existed_ = exists;
    last_ = now;
    fresh_ = exists && is_fresh(now);
    return !same;
}

}  // namespace relais::control
