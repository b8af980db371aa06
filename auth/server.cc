#include "auth/server.h"

#include <sys/socket.h>
#include <sys/stat.h>

#include "auth/hash.h"
#include "auth/passwd_file.h"
#include "base/error.h"
#include "base/program.h"
#include "base/text.h"

namespace relais::auth {
namespace {

constexpr std::chrono::seconds request_patience{10};

Answer answer_of(Result result, std::string text = "") {
    Answer answer;
    answer.result = result;
    answer.text = std::move(text);
    return answer;
}

Answer answer_of(const Account& account) {
    Answer answer;
    answer.result = Result::right;
    answer.name = account.name;
    answer.uid = account.uid;
    answer.gid = account.gid;
    answer.groups = {account.gid};
    answer.home = account.home;
    answer.shell = account.shell;
    answer.maildir = account.maildir;
    return answer;
}

std::string shown(std::string_view text) {
    return text.empty() ? "unknown" : safe_for_log(text.substr(0, 128));
}

}  // namespace

Server::Server(EventLoop& loop, int listening, control::Home home, ServerSettings settings, HashPool& hashes)
    : loop_(loop),
      listening_(listening),
      home_(std::move(home)),
      settings_(std::move(settings)),
      hashes_(hashes),
      watch_(passwd_database(home_)),
      no_account_hash_(hash_password("nobody's")),
      cache_(settings_.cache_lifetime) {
    refresh_database();
    set_nonblocking(listening_, true);
    loop_.add(listening_, EPOLLIN, [this](std::uint32_t) { accept_clients(); });
}

void Server::accept_clients() {
    while (clients_.size() < settings_.clients) {
        Fd fd(::accept4(listening_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (!fd) return;
        const ClientId id = next_client_++;
        const int number = fd.get();
        Client& client = clients_[id];
        client.fd = std::move(fd);
        client.timer = loop_.after(request_patience, [this, id] {
            clients_.at(id).timer = 0;
            close_client(id);
        });
        loop_.add(number, EPOLLIN | EPOLLRDHUP, [this, id](std::uint32_t events) { handle(id, events); });
    }
    loop_.change(listening_, 0);  // until one has gone
}

void Server::handle(ClientId id, std::uint32_t events) {
    const auto found = clients_.find(id);
    if (found == clients_.end()) return;
    Client& client = found->second;
    if ((events & EPOLLOUT) != 0) return flush(id);
    if (!client.asked && (events & EPOLLIN) != 0) return read_request(id);
    if ((events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP)) == 0) return;
    if (!client.asked || !client.output.empty()) return close_client(id);
    // What is under way goes on: a guess is not made cheaper by hanging up.
    loop_.remove(client.fd.get());
    client.gone = true;
}

void Server::read_request(ClientId id) {
    Client& client = clients_.at(id);
    const std::span<char> room = client.input.span().subspan(client.have);
    const ssize_t count = ::read(client.fd.get(), room.data(), room.size());
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (count <= 0) return close_client(id);
    client.have += static_cast<std::size_t>(count);
    if (client.have < 2) return;
    const std::string_view all = client.input.view();
    const std::size_t size = static_cast<unsigned char>(all[0]) |
                             static_cast<std::size_t>(static_cast<unsigned char>(all[1])) << 8;
    if (size > request_limit || client.have > 2 + size) return close_client(id);
    if (client.have < 2 + size) return;
    const auto request = decode_request(all.substr(2, size));
    if (!request) return close_client(id);
    client.request = *request;
    client.asked = true;
    loop_.cancel(std::exchange(client.timer, 0));
    loop_.change(client.fd.get(), EPOLLRDHUP);
    admit(id);
}

void Server::answer(ClientId id, const Answer& answer) {
    Client& client = clients_.at(id);
    if (client.has_turn) give_turn(client.source);
    if (client.gone) return close_client(id);
    client.output = encode_answer(answer);
    loop_.change(client.fd.get(), EPOLLOUT);
}

void Server::flush(ClientId id) {
    Client& client = clients_.at(id);
    const ssize_t count = ::send(client.fd.get(), client.output.data(), client.output.size(), MSG_NOSIGNAL);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (count > 0) client.output.erase(0, static_cast<std::size_t>(count));
    if (count <= 0 || client.output.empty()) close_client(id);
}

void Server::close_client(ClientId id) {
    const auto found = clients_.find(id);
    if (found == clients_.end()) return;
    if (!found->second.gone) loop_.remove(found->second.fd.get());
    if (found->second.timer != 0) loop_.cancel(found->second.timer);
    clients_.erase(found);
    if (clients_.size() + 1 == settings_.clients) loop_.change(listening_, EPOLLIN);
}

// A new data base empties the cache: a changed password counts at once.
void Server::refresh_database() {
    if (!watch_.changed()) return;
    cache_.clear();
    database_.reset();
    const std::string path = passwd_database(home_);
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) {
        if (errno != ENOENT) throw_errno("examine", path);
        return;
    }
    if ((status.st_mode & 077) != 0) log_line("warning: others may read " + path + ": chmod 600");
    database_.emplace(path);
}

std::optional<Account> Server::find_account(const std::string& name) const {
    if (!database_ || name.empty()) return std::nullopt;
    const auto data = database_->find(name);
    if (!data) return std::nullopt;
    auto account = decode_record(name, *data);
    if (!account) throw_permanent("damaged record for " + name + " in users/passwd.cdb");
    return account;
}

// What needs no waiting is answered at once; who has failed too often waits for his turn.
void Server::admit(ClientId id) {
    Client& client = clients_.at(id);
    try {
        refresh_database();
        if (client.request.kind == RequestKind::methods)
            return answer(id, answer_of(Result::right, database_ && database_->find("") ? "challenge" : ""));
        client.name = canonical_name(client.request.user, settings_.default_domain).value_or("");
        client.source = client_of(client.request.address);
        const auto now = Clock::now();
        if (client.request.kind == RequestKind::password &&
            cache_.knows(client.name, client.request.secret, now))
            if (const auto account = find_account(client.name)) return answer(id, answer_of(*account));
        if (failures_.count(client.source, now) >= one_at_a_time_from) {
            Line& line = lines_[client.source];
            if (line.waiting.size() >= settings_.waiting_for_one)
                return answer(id, answer_of(Result::temporary, "too many failed logins from this address"));
            line.waiting.push_back(id);
            if (!line.busy) give_turn(client.source);
            return;
        }
        judge(id);
    } catch (const Error& error) {
        log_line(std::string("warning: ") + error.what());
        answer(id, answer_of(Result::temporary, error.what()));
    }
}

// Lets the next login of an address go on, if there is one.
void Server::give_turn(const std::string& source) {
    const auto found = lines_.find(source);
    if (found == lines_.end()) return;
    Line& line = found->second;
    line.busy = !line.waiting.empty();
    if (!line.busy) {
        lines_.erase(found);
        return;
    }
    const ClientId next = line.waiting.front();
    line.waiting.pop_front();
    clients_.at(next).has_turn = true;
    loop_.after(std::chrono::milliseconds(0), [this, next] { judge(next); });
}

void Server::judge(ClientId id) {
    Client& client = clients_.at(id);
    const Request& request = client.request;
    try {
        auto account = find_account(client.name);
        if (request.kind == RequestKind::cram_md5) {
            if (account && !account->secret.empty() &&
                cram_fits(request.secret, request.challenge, account->secret))
                return accept_login(id, *account);
            return refuse(
                id, account && account->secret.empty() ? "no stored secret for CRAM-MD5" : "wrong response");
        }
        if (account && !account->secret.empty() && !request.challenge.empty() && is_digest(request.secret) &&
            apop_fits(request.secret, request.challenge, account->secret))
            return accept_login(id, *account);
        if (!account && belongs_to_system(client)) {
            waiting_for_pam_.push_back(id);
            return start_pam();
        }
        check_hash(id, std::move(account));
    } catch (const Error& error) {
        log_line(std::string("warning: ") + error.what());
        answer(id, answer_of(Result::temporary, error.what()));
    }
}

void Server::check_hash(ClientId id, std::optional<Account> account) {
    const Client& client = clients_.at(id);
    const std::string hash = account && !account->hash.empty() ? account->hash : no_account_hash_;
    const bool exists = account.has_value();
    const auto done = [this, id, account = std::move(account)](HashResult result) {
        const Client& asked = clients_.at(id);
        if (result == HashResult::unknown)
            return answer(id, answer_of(Result::temporary, "the password could not be checked"));
        if (result == HashResult::wrong || !account || account->hash.empty())
            return refuse(id, account ? "wrong password" : "no such account");
        cache_.add(asked.name, asked.request.secret, Clock::now());
        accept_login(id, *account);
    };
    if (client.request.secret.size() > password_limit)
        return refuse(id, exists ? "wrong password" : "no such account");
    if (!hashes_.check(hash, Secret(client.request.secret), done))
        answer(id, answer_of(Result::temporary, "too many logins at once"));
}

void Server::accept_login(ClientId id, const Account& account) {
    answer(id, answer_of(account));
}

void Server::refuse(ClientId id, const std::string& why) {
    Client& client = clients_.at(id);
    const unsigned count = failures_.add(client.source, Clock::now());
    const auto delay = failure_delay(count);
    log_line("refused " + shown(client.name.empty() ? client.request.user : client.name) + " from " +
             shown(client.request.address) + " over " + shown(client.request.service) + ": " + why +
             ", failure " + std::to_string(count) + " of this address, answer in " +
             std::to_string(delay.count()) + " s");
    client.timer = loop_.after(delay, [this, id] {
        clients_.at(id).timer = 0;
        answer(id, answer_of(Result::refused, "authorization failed"));
    });
}

}  // namespace relais::auth
