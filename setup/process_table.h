// The machine's processes, as /proc tells of them. One that has gone meanwhile is told as nothing.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace relais::setup {

// A process of /proc, as far as it tells.
struct Seen {
    pid_t pid = 0;
    pid_t parent = 0;
    std::string name;
    std::int64_t seconds = 0;  // since it was started
};

// Whose the process is, be it that it runs a program of another user: its real user, and its effective one.
// Names, directories and environments are what anybody of the machine gives to his processes. Nothing when
// it has gone.
struct Users {
    uid_t real;
    uid_t effective;
};
std::optional<Users> users_of(pid_t pid);

std::optional<Seen> look_at_process(pid_t pid);
std::vector<Seen> all_processes();
// Whether one of those who have started it, and who have started these, is of that kind.
bool has_ancestor(const Seen& seen, const std::function<bool(const Seen&)>& is_it);
// Sends that signal if the process is still what it was taken for: its number may be another's meanwhile.
// False if it is not, or has gone.
bool signal_process(pid_t pid, int signal_number, const std::function<bool(const Seen&)>& is_it);
// Whether that is its working directory, whatever the path is called.
bool works_in(pid_t pid, const std::string& directory);
// Whether its standard error is a pipe.
bool writes_to_pipe(pid_t pid);
// Whether its standard error is what the reader has as standard input.
bool writes_to(pid_t writer, pid_t reader);
// A file of /proc, at most 4096 octets; empty when the process has gone.
std::string read_proc(const std::string& path);

}  // namespace relais::setup
