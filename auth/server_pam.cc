// The part of Server that asks PAM: a process for each login, for modules may wait.
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <array>

#include "auth/server.h"
#include "base/error.h"
#include "base/io.h"
#include "base/process_title.h"

namespace relais::auth {
namespace {

constexpr unsigned pam_patience = 60;  // seconds

[[noreturn]] void run_pam(const PamSettings& settings, const Request& request, const std::string& user,
                          int output, pid_t parent) {
    EventLoop::restore_signals();
    ::signal(SIGCHLD, SIG_DFL);
    set_process_title("qmail-authd", {"pam"});
    if (::dup2(output, 3) < 0 || ::close_range(4, ~0U, 0) != 0) ::_exit(111);
    if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || ::getppid() != parent) ::_exit(111);
    ::alarm(pam_patience);
    try {
        const Answer answer = ask_pam(settings, user, request.secret, request.address);
        write_all(3, encode_answer(answer), Deadline::never());
    } catch (const Error&) {
        ::_exit(111);
    }
    ::_exit(0);
}

}  // namespace

// The system's users are those of the default domain.
bool Server::belongs_to_system(const Client& client) const {
    return !settings_.pam.service.empty() && client.name.ends_with("@" + settings_.default_domain);
}

void Server::start_pam() {
    while (pam_.size() < settings_.pam_processes && !waiting_for_pam_.empty()) {
        const ClientId id = waiting_for_pam_.front();
        waiting_for_pam_.pop_front();
        const Client& client = clients_.at(id);
        Pipe pipe = make_pipe();
        const pid_t parent = ::getpid();
        const pid_t pid = ::fork();
        if (pid < 0) {
            Answer failed;
            failed.text = "unable to fork for PAM";
            answer(id, failed);
            continue;
        }
        if (pid == 0)
            run_pam(settings_.pam, client.request, client.name.substr(0, client.name.rfind('@')),
                    pipe.write.get(), parent);
        const int fd = pipe.read.get();
        pam_.emplace(fd, PamProcess{id, std::move(pipe.read), ""});
        loop_.add(fd, EPOLLIN, [this, fd](std::uint32_t) { read_pam(fd); });
    }
}

void Server::read_pam(int fd) {
    PamProcess& process = pam_.at(fd);
    std::array<char, 4096> buffer{};
    const ssize_t count = ::read(fd, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) return;
    if (count > 0 && process.output.size() <= answer_limit) {
        process.output.append(buffer.data(), static_cast<std::size_t>(count));
        return;
    }
    const ClientId id = process.client;
    std::optional<Answer> result;
    if (process.output.size() > 2) result = decode_answer(std::string_view(process.output).substr(2));
    loop_.remove(fd);
    pam_.erase(fd);
    if (!result) {
        result.emplace();
        result->text = "PAM gave no answer";
    }
    if (result->result == Result::refused)
        refuse(id, result->text);
    else
        answer(id, *result);
    start_pam();
}

}  // namespace relais::auth
