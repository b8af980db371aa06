#include "milter/server.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "base/accept.h"
#include "base/error.h"
#include "base/program.h"
#include "control/setting.h"
#include "milter/chain.h"

namespace relais::milter {
namespace {

// A session of SMTP lasts no longer.
constexpr std::chrono::hours session_limit{48};
constexpr Seconds write_patience{300};

class Session {
  public:
    Session(int connection, const control::Home& home)
        : connection_(connection), home_(home), resolver_(home) {}

    void run() {
        while (const auto frame = read_frame(connection_, "SMRHTE", Deadline::in(session_limit)))
            take(*frame);
    }

  private:
    void take(const Frame& frame) {
        if (frame.kind == 'S') return begin_session(frame.body);
        if (!chain_) broken();
        switch (frame.kind) {
            case 'M':
                return begin_transaction(frame.body);
            case 'R':
                return recipient(frame.body);
            case 'H':
                return chain_->hide(frame.body);
            case 'T':
                return chain_->add_text(frame.body);
            default:
                return end();
        }
    }

    [[noreturn]] static void broken() { throw_errno("read", "what qmail-smtpd says of a session", EPROTO); }

    static Facts facts(std::string_view body) {
        auto facts = decode_facts(body);
        if (!facts) broken();
        return *std::move(facts);
    }

    void begin_session(std::string_view body) {
        session_ = facts(body);
        chain_.reset();
        chain_.emplace(control::parse_milters(control::read<"milters">(home_)), resolver_,
                       home_.path("milter"), [](const std::string& line) { log_line(line); });
    }

    void begin_transaction(std::string_view body) { chain_->begin_transaction(session_, facts(body)); }

    void recipient(std::string_view body) {
        const auto question = decode_recipient(body);
        if (!question) broken();
        send('V', encode_verdict(chain_->recipient(*question, Deadline::in(recipient_patience))));
    }

    void end() {
        const Verdict verdict = chain_->end(Deadline::in(message_patience));
        send('V', encode_verdict(verdict));
        if (verdict.kind != Verdict::Kind::pass) return;
        send('N', encode_outcome(chain_->outcome()));
        chain_->message().write([this](std::string_view text) {
            for (; !text.empty(); text.remove_prefix(std::min(text.size(), piece_limit)))
                send('T', text.substr(0, piece_limit));
        });
        send('Z', "");
    }

    void send(char kind, std::string_view body) {
        write_frame(connection_, kind, body, Deadline::in(write_patience));
    }

    int connection_;
    const control::Home& home_;
    net::Resolver resolver_;
    Facts session_{};
    std::optional<Chain> chain_{};
};

}  // namespace

void serve_session(int connection, const control::Home& home) {
    Session(connection, home).run();
}

MilterServer::MilterServer(EventLoop& loop, int listening, control::Home home, std::size_t sessions)
    : loop_(loop), listening_(listening), home_(std::move(home)), sessions_(sessions) {
    set_nonblocking(listening_, true);
    loop_.on_signal(SIGCHLD, [this] { reap(); });
    loop_.add(listening_, EPOLLIN, [this](std::uint32_t) { accept_clients(); });
}

void MilterServer::accept_clients() {
    accepting_ = accept_waiting(
        listening_, [this] { return children_.size() < sessions_; }, [this](Fd fd) { start(std::move(fd)); });
    if (accepting_) return;
    log_line("warning: there are " + std::to_string(sessions_) + " sessions: others wait");
    loop_.change(listening_, 0);
}

// Without a process the client finds its connection closed, and tells its own to come back.
void MilterServer::start(Fd client) {
    const pid_t child = ::fork();
    if (child < 0) {
        log_line(
            "alert: " +
            std::string(Error(Reaction::temporary, "unable to start a process for milters", errno).what()));
        return;
    }
    if (child > 0) {
        children_.insert(child);
        return;
    }
    Exit code = Exit::success;
    try {
        EventLoop::restore_signals();
        ::prctl(PR_SET_PDEATHSIG, SIGTERM);
        ::close(listening_);
        serve_session(client.get(), home_);
    } catch (const std::exception& error) {
        log_line(error.what());
        code = Exit::temporary;
    }
    ::_exit(static_cast<int>(code));
}

void MilterServer::reap() {
    for (pid_t child; (child = ::waitpid(-1, nullptr, WNOHANG)) > 0;) children_.erase(child);
    if (accepting_ || children_.size() >= sessions_) return;
    accepting_ = true;
    loop_.change(listening_, EPOLLIN);
}

}  // namespace relais::milter
