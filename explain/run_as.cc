#include "explain/run_as.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/privilege.h"

namespace relais::explain {
namespace {

constexpr std::size_t words_limit = std::size_t{32} << 20;
// The first octet of what the child writes.
constexpr char done = 'K';
constexpr char failed_for_now = 'Z';
constexpr char failed_for_good = 'D';

std::string words_of(pid_t asker, uid_t uid, gid_t gid, const std::function<std::string()>& work) {
    try {
        if (::geteuid() == 0) drop_privilege(uid, gid);
        // Behind the change of user, which takes it back. What it holds of its parent's, a lock say, ends
        // too.
        if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || ::getppid() != asker) ::_exit(1);
        return done + work();
    } catch (const Error& error) {
        return (error.reaction() == Reaction::permanent ? failed_for_good : failed_for_now) +
               std::string(error.what());
    } catch (const std::exception& error) {
        return failed_for_now + std::string(error.what());
    }
}

[[noreturn]] void answer(int pipe, const std::string& words) {
    try {
        write_all(pipe, words, Deadline::never());
    } catch (const std::exception&) {
        // Nobody reads any more.
    }
    ::_exit(0);
}

}  // namespace

std::string run_as(uid_t uid, gid_t gid, const std::function<std::string()>& work) {
    Pipe pipe = make_pipe();
    const pid_t asker = ::getpid();
    const pid_t pid = ::fork();
    if (pid < 0) throw_errno("fork", "a look-up");
    if (pid == 0) answer(pipe.write.get(), words_of(asker, uid, gid, work));
    pipe.write.reset();
    const std::string words = read_to_end(pipe.read.get(), words_limit + 1, Deadline::never());
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
    if (words.empty()) throw Error(Reaction::temporary, "the process that looks it up has crashed");
    if (words.front() == done) return words.substr(1);
    throw Error(words.front() == failed_for_good ? Reaction::permanent : Reaction::temporary,
                words.substr(1));
}

}  // namespace relais::explain
