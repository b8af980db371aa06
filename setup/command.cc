#include "setup/command.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/fd.h"
#include "base/io.h"

namespace relais::setup {
namespace {

class FileActions {
  public:
    FileActions() { ::posix_spawn_file_actions_init(&actions_); }
    ~FileActions() { ::posix_spawn_file_actions_destroy(&actions_); }
    FileActions(const FileActions&) = delete;
    FileActions& operator=(const FileActions&) = delete;
    void put(int fd, int as) { ::posix_spawn_file_actions_adddup2(&actions_, fd, as); }
    void open_null(int as, int flags) {
        ::posix_spawn_file_actions_addopen(&actions_, as, "/dev/null", flags, 0);
    }
    const posix_spawn_file_actions_t* get() const { return &actions_; }

  private:
    posix_spawn_file_actions_t actions_;
};

// The children get the usual reaction to SIGPIPE, which run_program has turned off for us.
pid_t start(const std::vector<std::string>& words, const FileActions& actions) {
    std::vector<char*> arguments;
    for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    posix_spawnattr_t attributes;
    ::posix_spawnattr_init(&attributes);
    sigset_t defaults;
    ::sigemptyset(&defaults);
    ::sigaddset(&defaults, SIGPIPE);
    ::posix_spawnattr_setsigdefault(&attributes, &defaults);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
    pid_t pid = -1;
    const int error =
        ::posix_spawnp(&pid, arguments[0], actions.get(), &attributes, arguments.data(), environ);
    ::posix_spawnattr_destroy(&attributes);
    if (error == ENOENT || error == EACCES) return -1;
    if (error != 0) throw_errno("run", words[0], error);
    return pid;
}

int wait_for(pid_t pid, Deadline deadline) {
    const Fd handle(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    if (handle && !wait_readable(handle.get(), deadline)) ::kill(pid, SIGKILL);
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0)
        if (errno != EINTR) throw_errno("wait for", "a child");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::string read_output(int fd, Deadline deadline, std::size_t limit) {
    std::string output;
    std::array<char, 4096> buffer{};
    try {
        while (const std::size_t count = read_some(fd, buffer, deadline))
            output.append(buffer.data(), std::min(count, limit - output.size()));
    } catch (const Error&) {
        // The deadline: what came so far is worth showing.
    }
    return output;
}

// A pipe holds 64 KiB, so that we can fill it before anybody reads.
Fd input_of(std::string_view text) {
    Pipe pipe = make_pipe();
    if (text.size() > 60000) throw_permanent("input for a command is too long");
    write_all(pipe.write.get(), text, Deadline::never());
    return std::move(pipe.read);
}

}  // namespace

CommandResult capture(const std::vector<std::string>& words, Deadline deadline, std::string_view input,
                      std::size_t limit) {
    const Fd in = input_of(input);
    Pipe out = make_pipe();
    FileActions actions;
    actions.put(in.get(), STDIN_FILENO);
    actions.put(out.write.get(), STDOUT_FILENO);
    actions.put(out.write.get(), STDERR_FILENO);
    const pid_t pid = start(words, actions);
    out.write.reset();
    if (pid < 0) return {127, "there is no program " + words[0] + "\n"};
    CommandResult result;
    result.output = read_output(out.read.get(), deadline, limit);
    result.exit_code = wait_for(pid, deadline);
    return result;
}

int run(const std::vector<std::string>& words, Deadline deadline) {
    FileActions actions;
    actions.open_null(STDIN_FILENO, O_RDONLY);
    const pid_t pid = start(words, actions);
    return pid < 0 ? 127 : wait_for(pid, deadline);
}

}  // namespace relais::setup
