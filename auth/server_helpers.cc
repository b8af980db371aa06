// The part of Server that asks others: PAM, a password program, a validator of tokens, Dovecot. A process for
// each login, for all of them may wait.
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <array>

#include "auth/dovecot.h"
#include "auth/server.h"
#include "base/error.h"
#include "base/io.h"
#include "base/process_title.h"
#include "base/program.h"
#include "base/time.h"

namespace relais::auth {
namespace {

constexpr std::chrono::seconds helper_patience{60};
constexpr std::size_t token_fields_limit = 32768;

[[noreturn]] void run_helper(const char* title, const std::function<Answer()>& work, int output,
                             pid_t parent) {
    EventLoop::restore_signals();
    ::signal(SIGCHLD, SIG_DFL);
    set_process_title("qmail-authd", {title});
    if (::dup2(output, 3) < 0 || ::close_range(4, ~0U, 0) != 0) ::_exit(111);
    if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || ::getppid() != parent) ::_exit(111);
    ::alarm(static_cast<unsigned>(helper_patience.count()));
    try {
        write_all(3, encode_answer(work()), Deadline::never());
    } catch (const Error&) {
        ::_exit(111);
    }
    ::_exit(0);
}

}  // namespace

// Who is asked about a login that users/passwd does not decide. The system's users are those of the default
// domain. What comes of programs and Dovecot names no uid, so that only SMTP can use it.
Server::Helper Server::helper_for(const Client& client) const {
    if (client.request.kind == RequestKind::token)
        return client.smtp && !settings_.validator.words.empty() ? Helper::validator : Helper::none;
    const bool program = client.smtp && !settings_.program.words.empty() && !client.name.empty();
    if (client.request.kind == RequestKind::cram_md5)
        return program && settings_.program.cram != ProgramSettings::Cram::no ? Helper::program
                                                                              : Helper::none;
    if (client.request.kind != RequestKind::password) return Helper::none;
    if (!settings_.pam.service.empty() && client.name.ends_with("@" + settings_.default_domain))
        return Helper::pam;
    if (program) return Helper::program;
    if (client.smtp && !settings_.dovecot.empty() && !client.name.empty()) return Helper::dovecot;
    return Helper::none;
}

void Server::ask_helper(ClientId id) {
    waiting_for_helper_.push_back(id);
    start_helpers();
}

// What the helper's process does.
Answer Server::help(const Client& client, Helper helper) const {
    const Request& request = client.request;
    ProgramQuestion question{.words = settings_.program.words,
                             .fields = {client.name, request.secret, request.challenge},
                             .service = request.service,
                             .address = request.address,
                             .mechanism = "CRAM-MD5"};
    const std::string stamp = "Y" + std::to_string(now_seconds());
    switch (helper) {
        case Helper::pam:
            return ask_pam(settings_.pam, client.name.substr(0, client.name.rfind('@')), request.secret,
                           request.address);
        case Helper::dovecot:
            return ask_dovecot(settings_.dovecot, client.name, request.secret, request.service,
                               request.address, Deadline::in(helper_patience));
        case Helper::program:
            if (request.kind == RequestKind::password) {
                question.fields[2] = stamp;
                question.mechanism = "PLAIN";
            } else if (settings_.program.cram == ProgramSettings::Cram::challenge_first) {
                std::swap(question.fields[1], question.fields[2]);
            }
            return ask_program(question);
        case Helper::validator:
            become_validator_();
            question.words = settings_.validator.words;
            question.fields[0] = client.name.empty() ? request.user : client.name;
            question.fields[2] = stamp;
            question.limit = token_fields_limit;
            question.mechanism = request.challenge;
            question.names_the_account = true;
            return ask_program(question);
        case Helper::none:
            break;
    }
    return {};
}

void Server::start_helpers() {
    while (helpers_.size() < settings_.helper_processes && !waiting_for_helper_.empty()) {
        const ClientId id = waiting_for_helper_.front();
        waiting_for_helper_.pop_front();
        const Client& client = clients_.at(id);
        const Helper helper = helper_for(client);
        Pipe pipe = make_pipe();
        const pid_t parent = ::getpid();
        const pid_t pid = ::fork();
        if (pid < 0) {
            Answer failed;
            failed.text = "unable to fork";
            answer(id, failed);
            continue;
        }
        if (pid == 0)
            run_helper(
                helper == Helper::pam ? "pam" : "ask", [&] { return help(client, helper); }, pipe.write.get(),
                parent);
        const int fd = pipe.read.get();
        helpers_.emplace(fd, HelperProcess{id, std::move(pipe.read), ""});
        loop_.add(fd, EPOLLIN, [this, fd](std::uint32_t) { read_helper(fd); });
    }
}

void Server::read_helper(int fd) {
    HelperProcess& process = helpers_.at(fd);
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
    helpers_.erase(fd);
    if (!result) {
        result.emplace();
        result->text = "who was asked gave no answer";
    }
    take_help(id, *std::move(result));
    start_helpers();
}

void Server::take_help(ClientId id, Answer result) {
    const Client& client = clients_.at(id);
    if (result.result == Result::refused) return refuse(id, result.text);
    if (result.result == Result::temporary) {
        log_line("warning: " + shown(client.name) + " from " + shown(client.request.address) + ": " +
                 result.text);
        return answer(id, result);
    }
    if (client.smtp) {
        // The account's one spelling; only a token may say by itself whose it is.
        const bool anonymous = client.request.kind == RequestKind::token && client.request.user.empty();
        result.name =
            anonymous ? canonical_name(result.name, settings_.default_domain).value_or("") : client.name;
        if (result.name.empty()) return refuse(id, "the token's account is not known");
        if (client.request.kind == RequestKind::password)
            cache_.add(client.name, client.asker.network, client.request.secret, Clock::now());
    }
    accept_login(id, result);
}

}  // namespace relais::auth
