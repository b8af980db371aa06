#include "counts/server.h"

#include <fcntl.h>
#include <sys/socket.h>

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

std::string number(std::uint32_t value) {
    std::string text;
    append_le(text, value, 4);
    return text;
}

}  // namespace

CountServer::CountServer(EventLoop& loop, int listening, std::string path, ServerLimits limits)
    : loop_(loop), listening_(listening), path_(std::move(path)), limits_(limits), memory_(limits.memory) {
    load();
    set_nonblocking(listening, true);
    loop_.add(listening, EPOLLIN, [this](std::uint32_t) { accept_clients(); });
    save_again_later();
}

void CountServer::load() {
    try {
        if (const auto text = read_file(path_, file_limit)) memory_.load(*text);
    } catch (const Error& error) {
        log_line(std::string("alert: counting begins anew: ") + error.what());
    }
}

void CountServer::save() {
    if (!memory_.changed()) return;
    try {
        // Not synced: after a power cut an older file, or none, is good enough, and questions wait meanwhile.
        const std::string beside = path_ + ".new";
        const Fd file(::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
        if (!file) throw_errno("open", beside);
        write_all(file.get(), memory_.save(), Deadline::never());
        if (::rename(beside.c_str(), path_.c_str()) != 0) throw_errno("rename to", path_);
    } catch (const Error& error) {
        if (!std::exchange(save_failed_, true))
            log_line(std::string("alert: what was counted is lost at the next start: ") + error.what());
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
            clients_[id] = {std::move(fd), {}, {}};
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
        client.output += encode_answer(answer(*question));
        if (client.output.size() > unread_limit) return false;
    }
    return !broken && send_pending(client.fd.get(), client.output);
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
            const bool is_new = memory_.hold(question.beginning, now);
            // Whoever has the password must not win by a crash.
            if (is_new) save();
            return number(is_new ? 1 : 0);
        }
        case Question::Kind::release: {
            const bool was_held = memory_.release(question.beginning);
            if (was_held) save();
            return number(was_held ? 1 : 0);
        }
        case Question::Kind::forget:
            break;
    }
    return number(memory_.forget(question.beginning));
}

}  // namespace relais::counts
