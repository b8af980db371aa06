#include "keyd/server.h"

#include <openssl/crypto.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>

#include "base/accept.h"
#include "base/error.h"
#include "base/time.h"
#include "base/unix_socket.h"
#include "keyd/files.h"
#include "keyd/mail_token.h"
#include "keyd/signer.h"

namespace relais::keyd {
namespace {

// A client that asks without reading: its own fault.
constexpr std::size_t output_limit = 2 * answer_limit;

constexpr std::string_view bad_token = "the order has no leave to sign mail, or it is over";
constexpr std::string_view other_domain = "the order has no leave to sign in the name of that domain";

struct Answerer {
    const KeyStore& store;
    TicketKeys& tickets;

    std::string operator()(const CertificateFor& of) const { return store.chain_for(of.name); }
    std::string operator()(const Watch&) const { return store.chain_for(""); }
    std::string operator()(const Signing& signing) const {
        EVP_PKEY* const key = store.find_key(signing.key);
        if (key == nullptr) return encode_trouble("there is no such key");
        if (!is_handshake_text(signing.text)) return encode_trouble("this is not part of a handshake");
        const auto signature = sign(key, signing);
        if (!signature) return encode_trouble("a key of this type does not sign like that");
        return encode_signature(tickets.make(Clock::now()), *signature);
    }
    std::string operator()(const TicketOf& of) const {
        return encode_ticket_answer(tickets.find(of.name, Clock::now()));
    }
    std::string operator()(const NewTicket&) const { return encode_new_ticket(tickets.make(Clock::now())); }
};

struct MailAnswerer {
    MailKeys& keys;
    std::string_view secret;
    std::int64_t now;

    std::optional<MailGrant> open(std::string_view token) const {
        return secret.empty() ? std::nullopt : open_mail_token(secret, token, now);
    }
    std::string operator()(const KeysWanted& wanted) const {
        const auto grant = open(wanted.token);
        if (!grant) return encode_trouble(bad_token);
        for (const std::string_view domain : wanted.domains)
            if (!grant->allows(domain)) return encode_trouble(other_domain);
        return encode_keys_found(keys.find(wanted.domains));
    }
    std::string operator()(const MailSigning& signing) const {
        const auto grant = open(signing.token);
        if (!grant) return encode_trouble(bad_token);
        if (!grant->allows(signing.domain)) return encode_trouble(other_domain);
        const auto signature = keys.sign(signing.domain, signing.selector, signing.hash);
        return signature ? encode_mail_signature(*signature) : encode_trouble("there is no such key");
    }
};

}  // namespace

std::optional<std::string> answer(std::string_view request, const KeyStore& store,
                                  TicketKeys& tickets) noexcept {
    try {
        const auto decoded = decode_request(request);
        if (!decoded) return std::nullopt;
        return std::visit(Answerer{store, tickets}, *decoded);
    } catch (const std::exception& error) {
        return encode_trouble(error.what());
    }
}

std::optional<std::string> answer_mail(std::string_view request, MailKeys& keys, std::string_view secret,
                                       std::int64_t now) noexcept {
    try {
        const auto decoded = decode_mail_request(request);
        if (!decoded) return std::nullopt;
        return std::visit(MailAnswerer{keys, secret, now}, *decoded);
    } catch (const std::exception& error) {
        return encode_trouble(error.what());
    }
}

Server::Server(EventLoop& loop, int files, TicketKeys& tickets, Settings settings, Log log)
    : loop_(loop), files_(files), tickets_(tickets), settings_(std::move(settings)), log_(std::move(log)) {
    loop_.add(files, EPOLLIN, [this](std::uint32_t) { take_file(); });
}

void Server::accept_clients(const Door& door) {
    accept_waiting(
        door.listening, [this] { return clients_.size() < settings_.connections; },
        [this, &door](Fd fd) { take_client(door, std::move(fd)); });
    if (clients_.size() >= settings_.connections) listen(false);
}

void Server::take_client(const Door& door, Fd fd) {
    const uid_t uid = peer_of(fd.get()).uid;
    if (std::find(door.clients.begin(), door.clients.end(), uid) == door.clients.end()) {
        if (!std::exchange(refused_was_logged_, true))
            log_("refused a client with the uid " + std::to_string(uid) + " (said once)");
        return;
    }
    Client client;
    client.fd = std::move(fd);
    client.of_mail = &door != &settings_.tls;
    // Most have asked by now, and need no more than this one answer.
    if (read(client)) keep(std::move(client));
}

void Server::listen(bool open) {
    const std::uint32_t events = open ? std::uint32_t{EPOLLIN} : 0;
    loop_.change(settings_.tls.listening, events);
    if (settings_.mail) loop_.change(settings_.mail->listening, events);
}

std::optional<std::string> Server::answer_to(const Client& client, std::string_view request) {
    return client.of_mail ? answer_mail(request, mail_keys_, settings_.token_secret, now_seconds())
                          : answer(request, store_, tickets_);
}

void Server::keep(Client client) {
    const int number = client.fd.get();
    Client& kept = clients_[number] = std::move(client);
    kept.in_loop = true;
    loop_.add(number, kept.output.empty() ? EPOLLIN : EPOLLIN | EPOLLOUT,
              [this, number](std::uint32_t events) { handle(number, events); });
    keep_alive(number, kept);
}

void Server::keep_alive(int fd, Client& client) {
    if (client.timer != 0) loop_.cancel(client.timer);
    client.timer = client.watches ? 0 : loop_.after(settings_.idle, [this, fd] {
        clients_.at(fd).timer = 0;
        close(fd);
    });
}

void Server::close(int fd) {
    const auto found = clients_.find(fd);
    if (found == clients_.end()) return;
    if (found->second.timer != 0) loop_.cancel(found->second.timer);
    loop_.remove(fd);
    clients_.erase(found);
    if (clients_.size() + 1 == settings_.connections) listen(true);
}

void Server::handle(int fd, std::uint32_t events) {
    const auto found = clients_.find(fd);
    if (found == clients_.end()) return;
    Client& client = found->second;
    if ((events & EPOLLOUT) != 0 && !flush(client)) return close(fd);
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 && !read(client)) close(fd);
}

bool Server::read(Client& client) {
    std::array<char, 4096> buffer;
    const ssize_t count = ::recv(client.fd.get(), buffer.data(), buffer.size(), 0);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return true;
    if (count <= 0) return false;
    client.input.append(buffer.data(), static_cast<std::size_t>(count));
    return take_requests(client) && flush(client);
}

// False for a client that speaks another language.
bool Server::take_requests(Client& client) {
    std::string_view rest = client.input;
    while (rest.size() >= 4) {
        const std::size_t size = frame_size(rest);
        if (size > request_limit || client.output.size() > output_limit) return false;
        if (rest.size() < 4 + size) break;
        const std::string_view request = rest.substr(4, size);
        std::optional<std::string> body = answer_to(client, request);
        if (!body) return false;
        if (!client.of_mail && request == "W") client.watches = true;
        client.satisfied = is_last_of_handshake(*body);
        std::string framed = frame(*body);
        client.output += framed;
        OPENSSL_cleanse(body->data(), body->size());
        OPENSSL_cleanse(framed.data(), framed.size());
        rest.remove_prefix(4 + size);
    }
    client.input.erase(0, client.input.size() - rest.size());
    return true;
}

// False if the client has gone, or has all it came for.
bool Server::flush(Client& client) {
    const int fd = client.fd.get();
    const bool was_waiting = !client.output.empty();
    while (!client.output.empty()) {
        const ssize_t count = ::send(fd, client.output.data(), client.output.size(), MSG_NOSIGNAL);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0 && errno != EAGAIN) return false;
        if (count < 0) {
            if (client.in_loop) loop_.change(fd, EPOLLIN | EPOLLOUT);
            return true;
        }
        OPENSSL_cleanse(client.output.data(), static_cast<std::size_t>(count));
        client.output.erase(0, static_cast<std::size_t>(count));
    }
    if (client.satisfied && client.input.empty()) return false;
    if (was_waiting && client.watches && client.in_loop) keep_alive(fd, client);
    return true;
}

void Server::take_file() {
    try {
        auto packet = receive_file(files_);
        if (!packet) return loop_.stop();
        if (packet->name.empty()) return commit();
        SecretText content = read_secret(packet->fd.get());
        if (packet->name.starts_with(mail_key_folder))
            mail_keys_.add(packet->name, content.view());
        else
            store_.add(packet->name, std::move(content));
    } catch (const Error& error) {
        if (error.number() != EAGAIN) log_(error.what());
    }
}

void Server::commit() {
    for (const std::string& problem : store_.commit(Clock::now())) log_("warning: " + problem);
    if (store_.size() == 0) log_("there is no certificate (control/servercert.pem): TLS is not offered");
    for (const std::string& problem : mail_keys_.commit()) log_("warning: " + problem);
    // The first set: until now nobody was served.
    if (!std::exchange(serves_, true)) {
        const auto open = [this](const Door& door) {
            set_nonblocking(door.listening, true);
            loop_.add(door.listening, EPOLLIN, [this, &door](std::uint32_t) { accept_clients(door); });
        };
        open(settings_.tls);
        if (settings_.mail) open(*settings_.mail);
    }
    std::vector<int> gone;
    for (auto& [fd, client] : clients_) {
        if (!client.watches) continue;
        client.output += frame(store_.chain_for(""));
        if (client.output.size() > output_limit || !flush(client)) gone.push_back(fd);
    }
    for (const int fd : gone) close(fd);
}

}  // namespace relais::keyd
