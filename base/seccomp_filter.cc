#include "base/seccomp_filter.h"

#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstddef>

#include "base/error.h"

namespace relais {
namespace {

// Numbers of x86's third ABI, which share the architecture of the second.
constexpr std::uint32_t x32_numbers = 0x40000000;
// -1: a call that a tracer has taken away.
constexpr std::uint32_t no_number = 0xffffffff;
constexpr std::size_t longest_jump = 255;

sock_filter load_word(std::size_t offset) {
    return {BPF_LD | BPF_W | BPF_ABS, 0, 0, static_cast<std::uint32_t>(offset)};
}

sock_filter give(std::uint32_t result) {
    return {BPF_RET | BPF_K, 0, 0, result};
}

sock_filter jump(std::uint16_t test, std::uint32_t value, std::size_t if_true, std::size_t if_false) {
    if (if_true > longest_jump || if_false > longest_jump)
        throw Error(Reaction::bug, "a seccomp filter is too long");
    return {static_cast<std::uint16_t>(BPF_JMP | test | BPF_K), static_cast<std::uint8_t>(if_true),
            static_cast<std::uint8_t>(if_false), value};
}

std::uint32_t result_of(SeccompFilter::Action action) {
    switch (action) {
        case SeccompFilter::Action::allow:
            return SECCOMP_RET_ALLOW;
        case SeccompFilter::Action::unknown:
            return SECCOMP_RET_ERRNO | ENOSYS;
        case SeccompFilter::Action::kill:
            break;
    }
    return SECCOMP_RET_KILL_PROCESS;
}

}  // namespace

void SeccompFilter::add(const char* name, Action action) {
    put(name, {action, 0, {}, 0});
}

void SeccompFilter::allow_with_argument(const char* name, unsigned argument,
                                        const std::vector<std::uint32_t>& values) {
    put(name, {Action::allow, argument, values, 0});
}

void SeccompFilter::allow_without_bits(const char* name, unsigned argument, std::uint32_t bits) {
    put(name, {Action::allow, argument, {}, bits});
}

void SeccompFilter::put(const char* name, Rule rule) {
    const int number = ::seccomp_syscall_resolve_name(name);
    if (number >= 0) rules_.emplace(static_cast<std::uint32_t>(number), std::move(rule));
}

// All numbers there are, neighbours with the same rule together.
std::vector<SeccompFilter::Range> SeccompFilter::ranges() const {
    std::vector<Range> found = {{0, {}}};
    const auto from = [&found](std::uint32_t first, const Rule& rule) {
        if (found.back().first == first) found.pop_back();
        if (found.empty() || found.back().rule != rule) found.push_back({first, rule});
    };
    for (const auto& [number, rule] : rules_) {
        from(number, rule);
        from(number + 1, {});
    }
    from(x32_numbers, {Action::kill, 0, {}, 0});
    from(no_number, {});
    return found;
}

void SeccompFilter::emit_rule(Program& program, const Rule& rule) {
    if (!rule.values.empty() || rule.forbidden_bits != 0) {
        constexpr std::size_t lower = std::endian::native == std::endian::big ? 4 : 0;
        const std::size_t place =
            offsetof(seccomp_data, args) + rule.argument * sizeof(seccomp_data::args[0]);
        program.push_back(load_word(place + lower));
        if (rule.forbidden_bits != 0) program.push_back(jump(BPF_JSET, rule.forbidden_bits, 0, 1));
        for (std::size_t left = rule.values.size(); left > 0; --left)
            program.push_back(jump(BPF_JEQ, rule.values[rule.values.size() - left], left, 0));
        program.push_back(give(result_of(Action::unknown)));
    }
    program.push_back(give(result_of(rule.action)));
}

// Chooses among the ranges by halves; the number of the call is loaded.
void SeccompFilter::emit_tree(Program& program, const Range* begin, const Range* end) {
    if (end - begin == 1) return emit_rule(program, begin->rule);
    const Range* middle = begin + (end - begin) / 2;
    const std::size_t choice = program.size();
    program.emplace_back();
    emit_tree(program, begin, middle);
    program[choice] = jump(BPF_JGE, middle->first, program.size() - choice - 1, 0);
    emit_tree(program, middle, end);
}

SeccompFilter::Program SeccompFilter::program() const {
    Program program = {load_word(offsetof(seccomp_data, arch)), jump(BPF_JEQ, ::seccomp_arch_native(), 1, 0),
                       give(SECCOMP_RET_KILL_PROCESS), load_word(offsetof(seccomp_data, nr))};
    const std::vector<Range> all = ranges();
    emit_tree(program, all.data(), all.data() + all.size());
    return program;
}

void SeccompFilter::load() const {
    Program program = this->program();
    const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
    // By prctl(2), not seccomp(2): a child of a confined process confines itself further, and the first is
    // allowed to all.
    if (::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) throw_errno("load", "the seccomp filter");
}

}  // namespace relais
