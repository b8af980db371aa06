#include "base/seccomp_filter.h"

#include <gtest/gtest.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstring>
#include <random>

#include "base/fd.h"

namespace relais {
namespace {

using Action = SeccompFilter::Action;
using Program = std::vector<sock_filter>;

// What a filter answers: the few instructions that ours and libseccomp's have.
std::uint32_t answer(const Program& program, const seccomp_data& data) {
    std::uint32_t word = 0;
    for (std::size_t at = 0; at < program.size(); ++at) {
        const sock_filter& each = program[at];
        const auto go = [&](bool yes) { at += yes ? each.jt : each.jf; };
        switch (each.code) {
            case BPF_LD | BPF_W | BPF_ABS:
                std::memcpy(&word, reinterpret_cast<const char*>(&data) + each.k, sizeof word);
                break;
            case BPF_JMP | BPF_JEQ | BPF_K:
                go(word == each.k);
                break;
            case BPF_JMP | BPF_JGE | BPF_K:
                go(word >= each.k);
                break;
            case BPF_JMP | BPF_JGT | BPF_K:
                go(word > each.k);
                break;
            case BPF_JMP | BPF_JSET | BPF_K:
                go((word & each.k) != 0);
                break;
            case BPF_ALU | BPF_AND | BPF_K:
                word &= each.k;
                break;
            case BPF_JMP | BPF_JA:
                at += each.k;
                break;
            case BPF_RET | BPF_K:
                return each.k;
            default:
                ADD_FAILURE() << "instruction " << each.code;
                return 0;
        }
    }
    ADD_FAILURE() << "beyond the end";
    return 0;
}

seccomp_data call(std::uint32_t number, std::uint64_t first_argument = 0) {
    seccomp_data data{};
    data.nr = static_cast<int>(number);
    data.arch = ::seccomp_arch_native();
    data.args[0] = first_argument;
    return data;
}

// What the kernel would be given; releases the filter.
Program exported(scmp_filter_ctx filter) {
    const Fd file(::memfd_create("filter", MFD_CLOEXEC));
    ::seccomp_export_bpf(filter, file.get());
    ::seccomp_release(filter);
    Program program(static_cast<std::size_t>(::lseek(file.get(), 0, SEEK_END)) / sizeof(sock_filter));
    EXPECT_GT(::pread(file.get(), program.data(), program.size() * sizeof(sock_filter), 0), 0);
    return program;
}

// libseccomp's filter with the same rules.
Program reference(const std::map<int, Action>& actions, const std::vector<std::uint32_t>& families) {
    const scmp_filter_ctx filter = ::seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
    for (const auto& [number, action] : actions)
        if (action != Action::unknown)
            ::seccomp_rule_add(filter, action == Action::allow ? SCMP_ACT_ALLOW : SCMP_ACT_KILL_PROCESS,
                               number, 0);
    for (const std::uint32_t family : families) {
        const scmp_arg_cmp is_family{0, SCMP_CMP_EQ, family, 0};
        ::seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SYS_socket, 1, &is_family);
    }
    return exported(filter);
}

// Random rules; every number, and more than there are, gets what libseccomp gives it.
TEST(SeccompFilter, DecidesAsLibseccompDoes) {
    std::mt19937 random(20261122);
    for (int round = 0; round < 20; ++round) {
        SeccompFilter filter;
        std::map<int, Action> actions;
        const unsigned density = 1 + static_cast<unsigned>(random()) % 10;
        for (int number = 0; number < 460; ++number) {
            char* name = ::seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);
            if (name != nullptr && number != SYS_socket && random() % density == 0) {
                actions[number] = random() % 4 == 0 ? Action::kill : Action::allow;
                filter.add(name, actions[number]);
            }
            std::free(name);
        }
        const std::vector<std::uint32_t> families = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};
        filter.allow_with_argument("socket", 0, families);
        filter.add("socket", Action::kill);  // the first word stands
        const Program ours = filter.program();
        const Program theirs = reference(actions, families);
        for (std::uint32_t number = 0; number < 1100; ++number)
            for (const std::uint64_t argument : {0, 1, 2, 3, 10, 16, 17})
                ASSERT_EQ(answer(ours, call(number, argument)), answer(theirs, call(number, argument)))
                    << number << " " << argument;
    }
}

// Against libseccomp as well: a number of the second argument, bits of the third.
TEST(SeccompFilter, LaterArgumentsAndBits) {
    SeccompFilter filter;
    filter.allow_with_argument("fcntl", 1, {1, 3});
    filter.allow_without_bits("mprotect", 2, PROT_EXEC);
    const scmp_filter_ctx theirs = ::seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
    for (const std::uint32_t command : {1U, 3U}) {
        const scmp_arg_cmp is_command{1, SCMP_CMP_MASKED_EQ, 0xffffffff, command};
        ::seccomp_rule_add_array(theirs, SCMP_ACT_ALLOW, SYS_fcntl, 1, &is_command);
    }
    const scmp_arg_cmp is_data{2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0};
    ::seccomp_rule_add_array(theirs, SCMP_ACT_ALLOW, SYS_mprotect, 1, &is_data);
    const Program reference_program = exported(theirs);
    const Program program = filter.program();
    for (const long number : {SYS_fcntl, SYS_mprotect, SYS_read})
        for (std::uint64_t second = 0; second < 8; ++second)
            for (const std::uint64_t third :
                 {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{4}, std::uint64_t{7},
                  std::uint64_t{1} << 32, std::uint64_t{1} << 32 | 4}) {
                seccomp_data data = call(static_cast<std::uint32_t>(number), 4);
                data.args[1] = second;
                data.args[2] = third;
                ASSERT_EQ(answer(program, data), answer(reference_program, data))
                    << number << " " << second << " " << third;
            }
}

TEST(SeccompFilter, OtherArchitecturesAndNumbers) {
    SeccompFilter filter;
    filter.add("read", Action::allow);
    filter.add("no_such_call", Action::allow);
    const Program program = filter.program();
    EXPECT_EQ(answer(program, call(SYS_read)), SECCOMP_RET_ALLOW);
    EXPECT_EQ(answer(program, call(0x3fffffff)), SECCOMP_RET_ERRNO | ENOSYS);
    EXPECT_EQ(answer(program, call(0x40000000 + SYS_read)), SECCOMP_RET_KILL_PROCESS);
    EXPECT_EQ(answer(program, call(0xffffffff)), SECCOMP_RET_ERRNO | ENOSYS);
    seccomp_data foreign = call(SYS_read);
    foreign.arch ^= 1;
    EXPECT_EQ(answer(program, foreign), SECCOMP_RET_KILL_PROCESS);
}

}  // namespace
}  // namespace relais
