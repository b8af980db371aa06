#include "counts/server.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <utility>

#include "base/accept.h"
#include "base/error.h"
#include "base/file.h"
#include "base/io.h"
#include "base/octets.h"
#include "base/program.h"
#include "base/time.h"
#include "base/unix_socket.h"

namespace relais::counts {
namespace {

constexpr std::size_t file_limit = std::size_t{256} << 20;
// A client that asks without reading loses its connection.
constexpr std::size_t unread_limit = std::size_t{4} << 20;

constexpr const char* state_file = "/state";
constexpr const char* held_file = "/held";

std::string number(std::uint32_t value) {
    std::string text;
    append_le(text, value, 4);
    return text;
}

}  // namespace

CountServer::CountServer(EventLoop& loop, int listening, std::string directory, ServerLimits limits)
    : loop_(loop),
      listening_(listening),
      directory_(std::move(directory)),
      limits_(limits),
      memory_(limits.memory) {
    load();
    set_nonblocking(listening, true);
    loop_.add(listening, EPOLLIN, [this](std::uint32_t) { accept_clients(); });
    save_again_later();
}

void CountServer::load() {
    const auto load_file = [this](const char* name, const char* loss) {
        try {
            if (const auto text = read_file(directory_ + name, file_limit)) memory_.load(*text);
        } catch (const Error& error) {
            log_line(std::string("alert: ") + loss + ": " + error.what());
        }
    };
    load_file(state_file, "counting begins anew");
    load_file(held_file, "no login is held any more");
}

void CountServer::save() {
    save_held();
    save_counts(false);
}

void CountServer::save_counts(bool durable) {
    if (!memory_.changed()) return;
    try {
        const std::string path = directory_ + state_file;
        const std::string beside = path + ".new";
        const Fd file(::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
        if (!file) throw_errno("open", beside);
        write_all(file.get(), memory_.save(), Deadline::never());
        // Else an older file, or none, is good enough after a power cut.
        if (durable && ::fdatasync(file.get()) != 0) throw_errno("sync", beside);
        if (::rename(beside.c_str(), path.c_str()) != 0) throw_errno("rename to", path);
        if (durable) sync_directory(directory_);
        memory_.saved();
        save_failed_ = false;
    } catch (const Error& error) {
        if (!std::exchange(save_failed_, true))
            log_line(std::string("alert: what was counted is lost at the next start: ") + error.what());
    }
}

void CountServer::save_held() {
    if (!memory_.held_changed()) return;
    try {
        replace_file(directory_ + held_file, memory_.save_held(), 0600);
        memory_.held_saved();
        save_held_failed_ = false;
    } catch (const Error& error) {
        if (!std::exchange(save_held_failed_, true))
            log_line(std::string("alert: a hold or release of a login is lost at the next start: ") +
                     error.what());
    }
}

void CountServer::save_again_later() {
    loop_.after(limits_.between_saves, [this] {
        save();
        save_again_later();
    });
}

void CountServer::accept_clients() {
    accepting_ = accept_waiting(
        listening_, [this] { return clients_.size() < limits_.clients; },
        [this](Fd fd) {
            const ClientId id = next_client_++;
            loop_.add(fd.get(), EPOLLIN, [this, id](std::uint32_t events) { handle(id, events); });
            const uid_t uid = peer_of(fd.get()).uid;
            clients_[id] = {std::move(fd), {}, {}, uid};
        });
    if (!accepting_) loop_.change(listening_, 0);
}

void CountServer::handle(ClientId id, std::uint32_t events) {
    Client& client = clients_.at(id);
    if (exchange(client, events)) {
        loop_.change(client.fd.get(), client.output.empty() ? EPOLLIN : EPOLLIN | EPOLLOUT);
        return;
    }
    loop_.remove(client.fd.get());
    clients_.erase(id);
    if (!accepting_) loop_.change(listening_, EPOLLIN);
    accepting_ = true;
}

bool CountServer::exchange(Client& client, std::uint32_t events) {
    if ((events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0) {
        std::array<char, 8192> buffer;
        const ssize_t size = ::recv(client.fd.get(), buffer.data(), buffer.size(), 0);
        if (size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR)) return false;
        if (size > 0) client.input.append(buffer.data(), static_cast<std::size_t>(size));
    }
    bool broken = false;
    while (const auto question = take_question(client.input, broken)) {
        if (!may_ask(client, *question)) return false;
        client.output += encode_answer(answer(*question));
        if (client.output.size() > unread_limit) return false;
    }
    return !broken && send_pending(client.fd.get(), client.output);
}

bool CountServer::may_ask(const Client& client, const Question& question) {
    const bool administrates =
        question.kind == Question::Kind::release || question.kind == Question::Kind::forget;
    // The second is the user of an instance that belongs to one.
    if (!administrates || client.uid == 0 || client.uid == ::geteuid()) return true;
    if (!std::exchange(refusal_was_logged_, true))
        log_line("alert: a process of uid " + std::to_string(client.uid) +
                 " wanted to release or forget, which only root may (said once)");
    return false;
}

std::string CountServer::answer(const Question& question) {
    const std::int64_t now = now_seconds();
    switch (question.kind) {
        case Question::Kind::counts: {
            const Verdict verdict = memory_.count(question.counts, now);
            return number(verdict.wait) + static_cast<char>(verdict.number);
        }
        case Question::Kind::mark:
            return number(memory_.mark(question.mark, now));
        case Question::Kind::seen:
            return number(memory_.seen(question.mark, now));
        case Question::Kind::list:
            return memory_.list(question.beginning, now);
        case Question::Kind::held:
            return number(memory_.is_held(question.beginning) ? 1 : 0);
        case Question::Kind::hold: {
            const bool is_new = memory_.hold(question.counts.front(), now);
            // Whoever has the password must not win by a crash.
            save_held();
            return number(is_new ? 1 : 0);
        }
        case Question::Kind::release: {
            const bool was_held = memory_.release(question.beginning);
            // The counters first: those of an older file would hold it again.
            if (was_held) save_counts(true);
            save_held();
            return number(was_held ? 1 : 0);
        }
        case Question::Kind::forget:
            break;
    }
    return number(memory_.forget(question.beginning));
}

}  // namespace relais::counts
