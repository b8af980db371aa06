#include "console/helper.h"

#include <signal.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/io.h"
#include "base/program.h"
#include "base/text.h"
#include "base/unix_socket.h"
#include "sasl/secret.h"

namespace relais::console {
namespace {

// Of answers: a front half that asks and does not read them is none of ours any more.
constexpr std::size_t unread_limit = 8 * frame_limit;
constexpr std::string_view everywhere = "everywhere";

constexpr auth::Lines::Limits waiting_logins{.of_line = 4, .of_all = 12};

auth::FamiliarNetworks familiar_networks(const control::Home& home) {
    try {
        return auth::FamiliarNetworks::in_file(home.path("users/console-networks"));
    } catch (const Error& error) {
        log_line(
            std::string("warning: from where operators have logged in is forgotten at the next start: ") +
            error.what());
        return auth::FamiliarNetworks::in_memory();
    }
}

}  // namespace

Helper::Helper(EventLoop& loop, Fd channel, control::Home home, control::Owners owners, HelperLimits limits)
    : loop_(loop),
      channel_(std::move(channel)),
      home_(std::move(home)),
      owners_(std::move(owners)),
      limits_(limits),
      guesses_(familiar_networks(home_)),
      lines_([this](const auth::Line& line) { return guesses_.at_once(line, Clock::now()); },
             waiting_logins) {
    set_nonblocking(channel_.get(), true);
    loop_.add(channel_.get(), EPOLLIN, [this](std::uint32_t events) { on_channel(events); });
    loop_.on_signal(SIGCHLD, [this] { reap(); });
    look_at_what_is_due();
}

void Helper::on_channel(std::uint32_t events) {
    if ((events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0) {
        std::array<char, io_buffer_size> buffer;
        const ssize_t size = ::recv(channel_.get(), buffer.data(), buffer.size(), 0);
        if (size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR)) return loop_.stop();
        if (size > 0) input_.append(buffer.data(), static_cast<std::size_t>(size));
    }
    bool broken = false;
    while (auto fields = take_frame(input_, question_limit, broken)) {
        auto question = decode_question(*fields);
        for (std::string& field : *fields) wipe(field);
        broken = !question;
        if (broken) break;
        handle(*std::move(question));
    }
    if (!broken && output_.size() <= unread_limit) return flush();
    log_line("the half that speaks with browsers says what it should not: ending");
    loop_.stop();
}

void Helper::handle(Question question) {
    Answer answer;
    answer.id = question.id;
    const VerbRow& row = row_of(question.verb);
    Session* session = row.session ? session_of(question, answer) : nullptr;
    if (row.session && session == nullptr) return refuse(std::move(answer), Status::login, "log in first");
    if (session != nullptr) {
        answer.name = session->name;
        answer.role = session->role;
        answer.token = session->token;
    }
    if (row.operating && session->role != Role::operating)
        return refuse(std::move(answer), Status::refused, "this account may look, and change nothing");
    if ((row.operating || question.verb == Verb::logout) && !same_secret(session->token, question.token))
        return refuse(std::move(answer), Status::refused,
                      "this form was not made for you here: go back, and load its page anew");
    if (const std::string fault = fault_of(question); !fault.empty())
        return refuse(std::move(answer), Status::wrong, fault);
    switch (question.verb) {
        case Verb::login:
            return log_in(std::move(question), std::move(answer));
        case Verb::once:
            return log_in_once(question, std::move(answer));
        case Verb::logout:
            log_line("logout " + safe_for_log(answer.name) +
                     (question.arguments[0] == everywhere ? " everywhere" : ""));
            if (question.arguments[0] == everywhere) sessions_.close_all(answer.name);
            sessions_.close(question.session);
            answer.status = Status::done;
            return send(answer);
        case Verb::hello:
            answer.status = Status::done;
            return send(answer);
        default:
            return start(question, std::move(answer));
    }
}

Session* Helper::session_of(const Question& question, Answer& answer) {
    Session* session = sessions_.find(question.session, question.live, Clock::now());
    if (session == nullptr) return session;
    // Whose sessions were ended, who was taken out, or has a new password or role, is out at once.
    try {
        if (session->ending == ending_of(home_, session->name)) {
            if (session->proof.empty()) return session;
            for (const Operator& account : read_operators(home_))
                if (account.name == session->name && account.hash == session->proof &&
                    account.role == session->role)
                    return session;
        }
    } catch (const Error& error) {
        log_line(std::string("warning: ") + error.what());
    }
    answer.name = session->name;
    sessions_.close(question.session);
    return nullptr;
}

void Helper::refuse(Answer answer, Status status, std::string why) {
    answer.status = status;
    answer.rows = {{"why", std::move(why)}};
    send(answer);
}

void Helper::send(const Answer& answer) {
    output_ += encode(answer);
    flush();
}

void Helper::flush() {
    if (!send_pending(channel_.get(), output_)) return loop_.stop();
    loop_.change(channel_.get(), output_.empty() ? EPOLLIN : EPOLLIN | EPOLLOUT);
}

}  // namespace relais::console
