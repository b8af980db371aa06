#include "pop3/own_session.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <cstdlib>

#include "auth/account_user.h"
#include "auth/protocol.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/privilege.h"
#include "base/program.h"
#include "base/text.h"
#include "control/setting.h"
#include "opensmtp/protocol.h"
#include "pop3/mailbox.h"
#include "pop3/opening.h"

namespace relais::pop3 {
namespace {

constexpr const char* service = "pop3";
// Where an account has none of its own.
constexpr const char* usual_maildir = "Maildir";
constexpr Seconds open_smtp_patience{5};

void set_variable(const char* name, const std::string& value) {
    if (::setenv(name, value.c_str(), 1) != 0) throw_errno("set", name);
}

// What tcpserver says of a client, for all that reads it there.
void introduce(const OwnSession& session) {
    const net::Endpoint local = net::local_endpoint(session.connection);
    set_variable("PROTO", "TCP");
    set_variable("TCPREMOTEIP", session.client.ip);
    set_variable("TCPREMOTEPORT", std::to_string(session.client.port));
    set_variable("TCPLOCALIP", local.ip);
    set_variable("TCPLOCALPORT", std::to_string(local.port));
}

void settle(const OwnSession& session) {
    set_nonblocking(session.connection, false);
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO})
        if (::dup2(session.connection, fd) < 0) throw_errno("place", "a descriptor");
    if (::close_range(STDERR_FILENO + 1, ~0U, 0) != 0) throw_errno("close", "the listener's descriptors");
    ::signal(SIGPIPE, SIG_IGN);
}

// The record of a dialogue, user and secret; wiped when it goes.
struct Named {
    std::string record;
    ~Named() { ::explicit_bzero(record.data(), record.size()); }
    std::string_view user() const { return std::string_view(record).substr(0, record.find('\0')); }
    std::string_view secret() const {
        const std::size_t begin = record.find('\0') + 1;
        return std::string_view(record).substr(begin, record.size() - begin - 1);
    }
};

auth::Answer judge(const control::Home& home, const Named& named, const DialogueSettings& settings) {
    auth::Request request;
    request.user = named.user();
    request.secret = named.secret();
    request.challenge = settings.challenge;
    request.service = service;
    const std::string address = environment("TCPREMOTEIP", "");
    request.address = address;
    return auth::ask(home, request, Deadline::in(auth::login_patience));
}

// A login does not depend on it.
void open_smtp(const control::Home& home, const std::string& name) {
    if (::access(home.socket("open-smtp").c_str(), F_OK) != 0) return;
    try {
        opensmtp::OpenSmtpClient client(home, Deadline::in(open_smtp_patience));
        const opensmtp::Answer answer = client.ask({.verb = opensmtp::Verb::add,
                                                    .address = environment("TCPREMOTEIP", ""),
                                                    .user = name,
                                                    .service = service},
                                                   Deadline::in(open_smtp_patience));
        if (!answer.ok) throw_permanent(answer.text);
    } catch (const Error& error) {
        log_line(std::string("this login does not open SMTP: ") + error.what());
    }
}

int refuse(const Named& named, std::string_view answer, std::chrono::seconds timeout) {
    log_line(refusal_line(named.user(), answer));
    write_all(STDOUT_FILENO, std::string(answer) + "\r\n", Deadline::in(timeout));
    return 1;
}

int serve(const control::Home& home, const OwnSession& session) {
    introduce(session);
    settle(session);
    const std::string host = control::read<"smtpgreeting">(home);
    DialogueSettings settings =
        dialogue_settings(home, host.substr(0, host.find(' ')), session.tls_first, false);
    if (session.scarce) hurry(home, settings);
    auth::Answer account;
    {
        Dialogue dialogue = hold_dialogue(home, settings);
        if (!dialogue.named) return dialogue.status;
        const Named named{std::move(*dialogue.named)};
        account = judge(home, named, settings);
        if (account.result == auth::Result::refused) return refuse(named, refused_answer, settings.timeout);
        if (account.result != auth::Result::right) {
            log_line("unable to check a password: " + account.text);
            return refuse(named, try_later_answer, settings.timeout);
        }
    }
    open_smtp(home, account.name);
    try {
        // It runs no program of the user's.
        empty_bounding_set();
        auth::become_account(home, account.name);
    } catch (const Error& error) {
        log_line(std::string("fatal: ") + error.what());
        write_all(STDOUT_FILENO, std::string(try_later_answer) + "\r\n", Deadline::in(settings.timeout));
        return static_cast<int>(Exit::temporary);
    }
    serve_mailbox(home, environment("MAILDIR", usual_maildir));
    return static_cast<int>(Exit::success);
}

}  // namespace

void run_own_session(const control::Home& home, const OwnSession& session) noexcept {
    int status = static_cast<int>(Exit::temporary);
    try {
        status = serve(home, session);
    } catch (const Error& error) {
        // A client that only closes is none of our troubles.
        if (error.number() != ECONNRESET && error.number() != EPIPE && error.number() != ENOTCONN)
            log_line(std::string("fatal: ") + error.what());
    } catch (const std::exception& error) {
        log_line(std::string("alert: ") + error.what());
    }
    ::_exit(status);
}

}  // namespace relais::pop3
