#include "local/recipient_server.h"

#include <sys/socket.h>

#include <array>

#include "base/accept.h"
#include "base/error.h"
#include "base/program.h"
#include "base/text.h"
#include "base/time.h"
#include "local/aliases.h"
#include "local/settings.h"
#include "mail/address.h"

namespace relais::local {
namespace {

constexpr std::size_t answers_at_once = 32;
constexpr std::size_t input_limit = 8 * (recipient_head_size + mail::address_limit);

}  // namespace

RecipientServer::RecipientServer(EventLoop& loop, int listening, int looks, const control::Home& home,
                                 RecipientLimits limits)
    : loop_(loop),
      listening_(listening),
      looks_socket_(looks),
      home_(home),
      limits_(limits),
      watch_({home.path("users"), home.path("control")}),
      rules_(home),
      srs_(home_, [this] { return read_srs(home_); }),
      finder_(home),
      questions_(loop_, looks),
      answers_(home_look_limit, answers_at_once) {
    set_nonblocking(listening_, true);
    set_nonblocking(looks_socket_, true);
    loop_.add(listening_, EPOLLIN, [this](std::uint32_t) { accept_clients(); });
    loop_.add(looks_socket_, EPOLLIN, [this](std::uint32_t events) { on_looks(events); });
    loop_.before_wait([this] {
        questions_.flush();
        return false;
    });
}

void RecipientServer::accept_clients() {
    accepting_ = accept_waiting(
        listening_, [this] { return clients_.size() < limits_.clients; },
        [this](Fd fd) {
            const ClientId id = next_client_++;
            loop_.add(fd.get(), EPOLLIN | EPOLLRDHUP,
                      [this, id](std::uint32_t events) { handle(id, events); });
            clients_[id].fd = std::move(fd);
        });
    if (!accepting_) loop_.change(listening_, 0);
}

void RecipientServer::close_client(ClientId id) {
    const auto found = clients_.find(id);
    if (found == clients_.end()) return;
    loop_.remove(found->second.fd.get());
    clients_.erase(found);
    if (accepting_) return;
    accepting_ = true;
    loop_.change(listening_, EPOLLIN);
}

void RecipientServer::handle(ClientId id, std::uint32_t events) {
    const auto found = clients_.find(id);
    if (found == clients_.end()) return;
    Client& client = found->second;
    if ((events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP)) != 0) return close_client(id);
    std::array<char, 4096> buffer{};
    const ssize_t count = ::read(client.fd.get(), buffer.data(), buffer.size());
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (count <= 0) return close_client(id);
    client.input.append(buffer.data(), static_cast<std::size_t>(count));
    if (client.input.size() > input_limit) return close_client(id);
    next_question(id);
}

// One question at a time for each client; what it sends meanwhile waits in its input.
void RecipientServer::next_question(ClientId id) {
    for (auto found = clients_.find(id); found != clients_.end() && found->second.key.empty();
         found = clients_.find(id)) {
        bool broken = false;
        const auto address = take_recipient_question(found->second.input, broken);
        if (broken) return close_client(id);
        if (!address) return;
        judge(id, *address);
    }
}

void RecipientServer::judge(ClientId id, const std::string& address) {
    try {
        watch_.look();
        const send::Route route = send::rewrite(rules_.get(), address);
        if (!route.is_local()) return reply(id, RecipientAnswer::elsewhere);
        // Others are not kept waiting by secrets that cannot be read.
        if (starts_ignoring_case(route.plain, "SRS"))
            if (const Srs& srs = srs_.get(); srs.is_rewritten(route.plain))
                return reply(id, srs.reverse(route.plain, now_seconds()) ? RecipientAnswer::bounces
                                                                         : RecipientAnswer::unknown);
        const std::string_view local = mail::split_address(route.address).local;
        FoundBy by;
        const User user = finder_.find(local, &by);
        // The user himself: without a .qmail file control/defaultdelivery counts.
        if (user.dash.empty()) return reply(id, RecipientAnswer::known);
        if (!alias_instructions(home_, user).empty()) return reply(id, RecipientAnswer::known);
        ask_home(id, user, by.step == FoundBy::Step::assign, local);
    } catch (const Error& error) {
        log_line(std::string("warning: ") + error.what());
        reply(id, RecipientAnswer::not_now);
    }
}

void RecipientServer::ask_home(ClientId id, const User& user, bool assigned, std::string_view local) {
    const std::string fields = encode_user(user);
    if (const auto known = remembered_.find(fields); known != remembered_.end()) {
        if (known->second.until > Clock::now()) return reply(id, known->second.answer);
        remembered_.erase(known);
    }
    std::string question = encode(HomeQuestion{id, user.uid, user.gid, assigned, local, fields});
    if (question.size() > home_look_limit) return reply(id, RecipientAnswer::not_now);
    clients_.at(id).key = fields;
    questions_.add(std::move(question));
}

void RecipientServer::on_looks(std::uint32_t events) {
    if ((events & EPOLLOUT) != 0) questions_.on_writable();
    if ((events & ~static_cast<std::uint32_t>(EPOLLOUT)) == 0) return;
    for (const PacketReader::Packet& packet : answers_.read(looks_socket_)) {
        const auto told = decode_home_answer(packet.data);
        if (!told) throw Error(Reaction::bug, "an answer about a home cannot be read");
        const auto asked = clients_.find(told->id);
        if (asked == clients_.end() || asked->second.key.empty()) continue;  // it did not wait
        remember(std::exchange(asked->second.key, ""), told->answer);
        reply(told->id, told->answer);
        next_question(told->id);
    }
    if (answers_.closed()) loop_.stop();
}

void RecipientServer::remember(const std::string& key, RecipientAnswer answer) {
    if (answer == RecipientAnswer::not_now) return;
    // A stranger who guesses names fills this; what is known is soon known again.
    if (remembered_.size() >= limits_.remembered) remembered_.clear();
    remembered_[key] = {answer, Clock::now() + limits_.memory};
}

// One octet for each question fits any socket buffer.
void RecipientServer::reply(ClientId id, RecipientAnswer answer) {
    const auto found = clients_.find(id);
    if (found == clients_.end()) return;
    const char octet = static_cast<char>(answer);
    if (::send(found->second.fd.get(), &octet, 1, MSG_NOSIGNAL | MSG_DONTWAIT) != 1) close_client(id);
}

}  // namespace relais::local
