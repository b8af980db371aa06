// A seccomp filter by the numbers of system calls, as a tree of comparisons: a confined process starts in a
// fraction of the time that libseccomp takes to put one together, and the kernel that it takes to look at a
// long list for every call there is.
#pragma once

#include <linux/filter.h>

#include <cstdint>
#include <map>
#include <vector>

namespace relais {

class SeccompFilter {
  public:
    enum class Action {
        allow,
        kill,
        unknown
    };  // unknown: the call fails with ENOSYS, which is also the default

    // What happens at this call, by its name; the first word on a call stands. Names that this machine does
    // not have are left out.
    void add(const char* name, Action action);
    // A call with an argument (counted from 0) that must be one of these numbers; else it is unknown. Of an
    // argument only the lower 32 bits are looked at, as the kernel does for those that are asked about here.
    void allow_with_argument(const char* name, unsigned argument, const std::vector<std::uint32_t>& values);
    // A call with an argument that must have none of these bits; else it is unknown.
    void allow_without_bits(const char* name, unsigned argument, std::uint32_t bits);
    using Program = std::vector<sock_filter>;
    // What the kernel is given. Throws a bug Error if it would be too long.
    Program program() const;
    // Puts it into force for this process, for good. Throws Error.
    void load() const;

  private:
    struct Rule {
        Action action = Action::unknown;
        unsigned argument = 0;
        std::vector<std::uint32_t> values{};  // that the argument may have; empty: any
        std::uint32_t forbidden_bits = 0;

        bool operator==(const Rule&) const = default;
    };
    // What holds from this number on, up to the next one's.
    struct Range {
        std::uint32_t first;
        Rule rule;
    };

    void put(const char* name, Rule rule);
    std::vector<Range> ranges() const;
    static void emit_rule(Program& program, const Rule& rule);
    static void emit_tree(Program& program, const Range* begin, const Range* end);

    std::map<std::uint32_t, Rule> rules_;
};

}  // namespace relais
