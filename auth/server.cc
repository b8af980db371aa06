#include "auth/server.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/hash.h"
#include "auth/passwd_file.h"
#include "base/accept.h"
#include "base/error.h"
#include "base/program.h"
#include "base/text.h"
#include "control/setting.h"
#include "sasl/base64.h"
#include "sasl/scram.h"

namespace relais::auth {
namespace {

constexpr std::chrono::seconds request_patience{10};

}  // namespace

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

Server::Server(EventLoop& loop, Doors doors, control::Home home, ServerSettings settings, HashPool& hashes,
               FamiliarNetworks familiar, int starter)
    : loop_(loop),
      doors_(doors),
      home_(std::move(home)),
      settings_(std::move(settings)),
      hashes_(hashes),
      watch_(passwd_database(home_)),
      no_account_hash_(hash_password("nobody's")),
      cache_(settings_.cache_lifetime),
      starter_(starter),
      trusted_(home_, [this] { return opensmtp::NetworkSet(control::read<"authtrusted">(home_)); }),
      limits_(std::move(familiar)),
      lines_([this](const Line& line) { return limits_.at_once(line, Clock::now()); }, settings_.waiting) {
    refresh();
    for (const int door : {doors_.login, doors_.smtp}) {
        set_nonblocking(door, true);
        loop_.add(door, EPOLLIN, [this, door](std::uint32_t) { accept_clients(door); });
    }
}

void Server::open_doors(bool open) {
    for (const int door : {doors_.login, doors_.smtp}) loop_.change(door, open ? std::uint32_t{EPOLLIN} : 0U);
}

void Server::accept_clients(int door) {
    const bool has_room = accept_waiting(
        door, [this] { return clients_.size() < settings_.clients; },
        [this, door](Fd fd) { take_client(door, std::move(fd)); });
    if (!has_room) open_doors(false);  // until one has gone
}

void Server::take_client(int door, Fd fd) {
    const ClientId id = next_client_++;
    const int number = fd.get();
    Client& client = clients_[id];
    client.fd = std::move(fd);
    client.smtp = door == doors_.smtp;
    client.timer = loop_.after(request_patience, [this, id] {
        clients_.at(id).timer = 0;
        close_client(id);
    });
    loop_.add(number, EPOLLIN | EPOLLRDHUP, [this, id](std::uint32_t events) { handle(id, events); });
}

void Server::handle(ClientId id, std::uint32_t events) {
    const auto found = clients_.find(id);
    if (found == clients_.end()) return;
    Client& client = found->second;
    if ((events & EPOLLOUT) != 0) return flush(id);
    if (!client.asked && (events & EPOLLIN) != 0) return read_request(id);
    if ((events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP)) == 0) return;
    if (!client.asked || !client.output.empty() || client.watches) return close_client(id);
    if (lines_.waits(id)) {
        leave_lines(id);
        return close_client(id);
    }
    // What is under way goes on: a guess is not made cheaper by hanging up.
    loop_.remove(client.fd.get());
    client.gone = true;
}

void Server::read_request(ClientId id) {
    Client& client = clients_.at(id);
    const std::size_t head = client.head.size();
    const std::span<char> room = client.have < head ? std::span(client.head).subspan(client.have)
                                                    : client.input.span().subspan(client.have - head);
    const ssize_t count = ::read(client.fd.get(), room.data(), room.size());
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (count <= 0) return close_client(id);
    client.have += static_cast<std::size_t>(count);
    if (client.have < head) return;
    const std::size_t size = static_cast<unsigned char>(client.head[0]) |
                             static_cast<std::size_t>(static_cast<unsigned char>(client.head[1])) << 8;
    if (size == 0 || size > request_limit) return close_client(id);
    if (client.input.size() == 0) client.input = Secret(size);
    if (client.have < head + size) return;
    const auto request = decode_request(client.input.view());
    if (!request) return close_client(id);
    client.request = *request;
    client.asked = true;
    loop_.cancel(std::exchange(client.timer, 0));
    loop_.change(client.fd.get(), EPOLLRDHUP);
    admit(id);
}

void Server::answer(ClientId id, const Answer& answer) {
    Client& client = clients_.at(id);
    leave_lines(id);
    if (client.gone) return close_client(id);
    if (client.smtp) {
        Answer less;
        less.result = answer.result;
        less.name = answer.name;
        less.text = answer.text;
        client.output = encode_answer(less);
    } else {
        client.output = encode_answer(answer);
    }
    loop_.change(client.fd.get(), EPOLLOUT);
}

void Server::flush(ClientId id) {
    Client& client = clients_.at(id);
    const ssize_t count = ::send(client.fd.get(), client.output.data(), client.output.size(), MSG_NOSIGNAL);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (count > 0) client.output.erase(0, static_cast<std::size_t>(count));
    if (count > 0 && !client.output.empty()) return;
    if (count <= 0 || client.request.kind != RequestKind::watch || watchers_ >= settings_.watchers)
        return close_client(id);
    client.watches = true;
    ++watchers_;
    loop_.change(client.fd.get(), EPOLLRDHUP);
}

void Server::close_client(ClientId id) {
    const auto found = clients_.find(id);
    if (found == clients_.end()) return;
    if (!found->second.gone) loop_.remove(found->second.fd.get());
    if (found->second.timer != 0) loop_.cancel(found->second.timer);
    if (found->second.watches) --watchers_;
    clients_.erase(found);
    if (clients_.size() + 1 == settings_.clients) open_doors(true);
}

void Server::refresh() {
    refresh_database();
    refresh_trusted();
}

// A new data base empties the cache: a changed password counts at once.
void Server::refresh_database() {
    if (!watch_.changed()) return;
    cache_.clear();
    close_watchers();
    database_.reset();
    const std::string path = passwd_database(home_);
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) {
        if (errno != ENOENT) throw_errno("examine", path);
        return;
    }
    if ((status.st_mode & (status.st_gid == ::getegid() ? 037 : 077)) != 0)
        log_line("warning: others may read " + path + ", or change it (qmail-setup --check)");
    database_.emplace(path);
}

void Server::refresh_trusted() {
    const opensmtp::NetworkSet& trusted = trusted_.get();
    if (trusted_.version() == trusted_version_) return;
    trusted_version_ = trusted_.version();
    if (trusted.wrong() != trusted_wrong_)
        for (const std::string& line : trusted.wrong())
            log_line("warning: control/authtrusted: neither an address nor a network: " + safe_for_log(line));
    trusted_wrong_ = trusted.wrong();
    limits_.set_trusted(trusted);
}

void Server::close_watchers() {
    std::vector<ClientId> watchers;
    for (const auto& [id, client] : clients_)
        if (client.watches) watchers.push_back(id);
    for (const ClientId id : watchers) close_client(id);
}

std::optional<Account> Server::find_account(const std::string& name) const {
    if (!database_ || name.empty()) return std::nullopt;
    const auto data = database_->find(name);
    if (!data) return std::nullopt;
    auto account = decode_record(name, *data);
    if (!account) throw_permanent("damaged record for " + name + " in users/passwd.cdb");
    return account;
}

std::string Server::offers(bool smtp) const {
    std::string words;
    const auto add = [&](bool there, std::string_view word) {
        if (there) words.append(words.empty() ? "" : " ").append(word);
    };
    const std::string stored = database_ ? std::string(database_->find("").value_or("")) : "";
    const HelperSettings& helpers = settings_.helpers;
    const bool others =
        helpers.has(Helper::pam) || (smtp && (helpers.has(Helper::program) || helpers.has(Helper::dovecot)));
    const bool cram_program = smtp && helpers.has(Helper::challenge);
    add(others || stored.find('p') != std::string::npos, offers_password);
    add(cram_program || stored.find('c') != std::string::npos, offers_challenge);
    add(stored.find('s') != std::string::npos, offers_scram);
    add(smtp && helpers.has(Helper::validator), offers_bearer);
    return words;
}

// Who has no verifier gets a salt that stays the same, made of his name and a secret.
Answer Server::find_salt(const Client& client) const {
    const auto account = find_account(client.name);
    const auto verifier = account ? sasl::parse_scram_verifier(account->verifier) : std::nullopt;
    const auto seed = database_ ? database_->find(scram_seed_key) : std::nullopt;
    if (!verifier && !seed) return answer_of(Result::temporary, "there are no verifiers");
    const std::string salt =
        verifier ? verifier->salt
                 : scram_salt_of_nobody(*seed, client.name.empty() ? client.request.user : client.name);
    return answer_of(Result::right, std::to_string(verifier ? verifier->iterations : sasl::scram_iterations) +
                                        " " + sasl::encode_base64(salt));
}

void Server::check_proof(ClientId id, const std::optional<Account>& account) {
    const Request& request = clients_.at(id).request;
    const auto verifier = account ? sasl::parse_scram_verifier(account->verifier) : std::nullopt;
    const auto proof = sasl::decode_base64(request.secret);
    if (!proof || !verifier || !sasl::scram_proof_fits(*verifier, request.challenge, *proof))
        return refuse(id, !account ? "no such account" : verifier ? "wrong proof" : "no verifier for SCRAM");
    Answer right = answer_of(*account);
    right.text = sasl::encode_base64(sasl::scram_server_signature(*verifier, request.challenge));
    accept_login(id, right);
}

void Server::judge(ClientId id) {
    Client& client = clients_.at(id);
    const Request& request = client.request;
    try {
        auto account = find_account(client.name);
        if (request.kind == RequestKind::scram_proof) return check_proof(id, account);
        // users/passwd has the last word about passwords, and knows nothing of tokens.
        if ((!account || request.kind == RequestKind::token) && helper_for(client) != Helper::none)
            return ask_helper(id);
        if (request.kind == RequestKind::token) return refuse(id, "no validator of tokens");
        if (request.kind == RequestKind::cram_md5) {
            if (account && !account->secret.empty() &&
                cram_fits(request.secret, request.challenge, account->secret))
                return accept_login(id, answer_of(*account));
            return refuse(
                id, account && account->secret.empty() ? "no stored secret for CRAM-MD5" : "wrong response");
        }
        if (account && !account->secret.empty() && !request.challenge.empty() && is_digest(request.secret) &&
            apop_fits(request.secret, request.challenge, account->secret))
            return accept_login(id, answer_of(*account));
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
        cache_.add(asked.name, asked.asker.network, asked.request.secret, Clock::now());
        accept_login(id, answer_of(*account));
    };
    if (client.request.secret.size() > password_limit)
        return refuse(id, exists ? "wrong password" : "no such account");
    if (!hashes_.check(hash, Secret(client.request.secret), done))
        answer(id, answer_of(Result::temporary, "too many logins at once"));
}

}  // namespace relais::auth
