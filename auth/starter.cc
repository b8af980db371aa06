#include "auth/starter.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "auth/dovecot.h"
#include "auth/hash_pool.h"
#include "base/error.h"
#include "base/io.h"
#include "base/process_title.h"
#include "base/program.h"
#include "base/time.h"
#include "base/unix_socket.h"
#include "control/cages.h"

namespace relais::auth {
namespace {

constexpr std::chrono::seconds helper_patience{60};
constexpr std::size_t token_fields_limit = 32768;
// Checks of hashes, and those who are asked about a login; the other half never needs so many.
constexpr std::size_t children_limit = 64;
constexpr int output_fd = 3;

void become_or_end(const control::Owners& owners, control::Role role) {
    try {
        control::become(owners, role);
    } catch (const std::exception& error) {
        log_line(std::string("alert: ") + error.what());
        ::_exit(static_cast<int>(Exit::temporary));
    }
}

}  // namespace

bool HelperSettings::has(Helper helper) const {
    switch (helper) {
        case Helper::hashes:
            return true;
        case Helper::pam:
            return !pam.service.empty();
        case Helper::program:
            return !program.words.empty();
        case Helper::challenge:
            return !program.words.empty() && program.cram != ProgramSettings::Cram::no;
        case Helper::validator:
            return !validator.words.empty();
        case Helper::dovecot:
            return !dovecot.empty();
        case Helper::none:
            break;
    }
    return false;
}

Starter::Starter(EventLoop& loop, Fd channel, control::Home home, const control::Owners& owners,
                 HelperSettings settings)
    : loop_(loop),
      channel_(std::move(channel)),
      home_(std::move(home)),
      owners_(owners),
      settings_(std::move(settings)) {
    loop_.on_signal(SIGCHLD, [this] { reap(); });
    loop_.add(channel_.get(), EPOLLIN, [this](std::uint32_t) { read_question(); });
}

void Starter::reap() {
    for (pid_t pid = 0; (pid = ::waitpid(-1, nullptr, WNOHANG)) > 0;) children_.erase(pid);
}

void Starter::read_question() {
    auto packet = receive_packet(channel_.get(), question_size);
    if (!packet) return loop_.stop();
    reap();
    const auto question = decode_question(packet->data);
    if (question && packet->passed && settings_.has(question->helper) && children_.size() < children_limit)
        start(*question, packet->passed.get());
    else
        log_line("alert: qmail-authd was asked for a process that it does not start");
    wipe(packet->data);
}

// Whoever waits for the answer sees the end of what was passed if there is no child.
void Starter::start(const Question& question, int output) {
    const pid_t parent = ::getpid();
    const pid_t pid = ::fork();
    if (pid == 0) work(question, output, parent);
    if (pid < 0)
        log_line("warning: unable to fork a process of qmail-authd: " + errno_text(errno));
    else
        children_.insert(pid);
}

void Starter::work(const Question& question, int output, pid_t parent) const {
    EventLoop::restore_signals();
    ::signal(SIGCHLD, SIG_DFL);
    const bool checks = question.helper == Helper::hashes;
    set_process_title("qmail-authd", {checks ? "check" : question.helper == Helper::pam ? "pam" : "ask"});
    if (::dup2(output, output_fd) < 0 || ::close_range(output_fd + 1, ~0U, 0) != 0) ::_exit(111);
    if (checks) become_or_end(owners_, control::Role::qmailh);
    if (question.helper == Helper::validator) become_or_end(owners_, control::Role::qmailv);
    // After the change of user, which would undo it.
    if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || ::getppid() != parent) ::_exit(111);
    try {
        if (checks) {
            control::enter(control::hash_cage, home_);
            serve_checks(output_fd);
        }
        ::alarm(static_cast<unsigned>(helper_patience.count()));
        write_all(output_fd, encode_answer(ask(question)), Deadline::never());
    } catch (const std::exception& error) {
        log_line(std::string("alert: ") + error.what());
        ::_exit(111);
    }
    ::_exit(0);
}

Answer Starter::ask(const Question& question) const {
    const std::string stamp = "Y" + std::to_string(now_seconds());
    ProgramQuestion asked{.words = settings_.program.words,
                          .fields = {question.user, question.secret, stamp},
                          .service = question.service,
                          .address = question.address,
                          .mechanism = "PLAIN"};
    switch (question.helper) {
        case Helper::pam:
            return ask_pam(settings_.pam, std::string(question.user), question.secret, question.address);
        case Helper::dovecot:
            return ask_dovecot(settings_.dovecot, question.user, question.secret, question.service,
                               question.address, Deadline::in(helper_patience));
        case Helper::program:
            return ask_program(asked);
        case Helper::challenge:
            asked.mechanism = "CRAM-MD5";
            asked.fields[2] = question.challenge;
            if (settings_.program.cram == ProgramSettings::Cram::challenge_first)
                std::swap(asked.fields[1], asked.fields[2]);
            return ask_program(asked);
        case Helper::validator:
            asked.words = settings_.validator.words;
            asked.limit = token_fields_limit;
            asked.mechanism = question.challenge;
            asked.names_the_account = true;
            return ask_program(asked);
        case Helper::hashes:
        case Helper::none:
            break;
    }
    return {};
}

bool start_helper(int channel, const Question& question, int output) {
    const Secret packet = encode_question(question);
    if (packet.size() == 0) return false;
    try {
        return send_packet(channel, packet.view(), output);
    } catch (const Error&) {
        return false;
    }
}

}  // namespace relais::auth
