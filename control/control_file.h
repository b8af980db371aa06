// Control files as qmail reads them: trailing blanks do not count; in files of several lines neither do empty
// lines and those that begin with '#'. A missing file means its default. Files are small (16 MiB at most).
#pragma once

#include <sys/stat.h>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "control/home.h"

namespace relais::control {

// The first line; nothing if there is no such file. Throws Error if it cannot be read.
std::optional<std::string> read_line(const Home& home, std::string_view name);
// All lines that count; nothing if there is no such file. Throws Error.
std::optional<std::vector<std::string>> read_lines(const Home& home, std::string_view name);
// A number in the first line; the default if there is no such file, or if it begins with no digit. Throws
// Error.
std::uint64_t read_number(const Home& home, std::string_view name, std::uint64_t fallback);
// control/me. Throws a permanent Error that says how to make it if it is missing.
std::string read_me(const Home& home);
// The first line of the file, else control/me.
std::string read_line_or_me(const Home& home, std::string_view name);

// Names of domains, compared without case; an entry ".example.org" stands for everything below example.org.
class DomainSet {
  public:
    DomainSet() = default;
    explicit DomainSet(const std::vector<std::string>& entries);
    // The entry that matched ("" never matches): the domain itself or the longest ".suffix" of it.
    std::optional<std::string> match(std::string_view domain) const;
    bool contains(std::string_view domain) const { return match(domain).has_value(); }
    bool empty() const { return entries_.empty(); }

  private:
    std::unordered_set<std::string> entries_;
};

// Tells whether a file has changed since it was last asked: by inode, size, and times. A file that appears or
// vanishes has changed; one that changed just before it was asked counts as changed once more, for a second
// change within the same tick of the kernel's clock would not show. Costs no stat(2) where a DirectoryWatch
// says that nothing has happened.
class ChangeWatch {
  public:
    explicit ChangeWatch(std::string path) : path_(std::move(path)) {}
    // True the first time and after each change.
    bool changed();

  private:
    std::string path_;
    bool asked_ = false;
    bool existed_ = false;
    bool fresh_ = false;
    std::uint64_t seen_generation_ = 0;  // of the DirectoryWatch; 0: look
    struct stat last_ {};
};

// A value made from a control file, made again when the file has changed: for pooled and long-lived
// processes.
template <class Value>
class Cached {
  public:
    Cached(std::string path, std::function<Value()> make) : watch_(std::move(path)), make_(std::move(make)) {}
    const Value& get() {
        if (watch_.changed()) value_.reset();  // also if make_ throws: it is asked again then
        if (!value_) {
            value_ = make_();
            ++version_;
        }
        return *value_;
    }
    // Another one each time the value was made.
    std::uint64_t version() const { return version_; }
    // The value as it was last made, without a look at the file: for what must stay the same for one client.
    const Value& last() {
        if (!value_) get();
        return *value_;
    }

  private:
    ChangeWatch watch_;
    std::function<Value()> make_;
    std::optional<Value> value_;
    std::uint64_t version_ = 0;
};

}  // namespace relais::control
