#include "net/resolver_server.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/program.h"
#include "net/dns_name.h"

namespace relais::net {
namespace {

constexpr const char* resolv_conf = "/etc/resolv.conf";
constexpr std::chrono::seconds reload_interval{1};

std::string joined(const std::vector<std::string>& words) {
    std::string text;
    for (const std::string& word : words) text += " " + word;
    return text;
}

}  // namespace

ResolverServer::ResolverServer(EventLoop& loop, int listening, control::Home home, ResolverLimits limits)
    : loop_(loop), listening_(listening), home_(std::move(home)), limits_(limits) {
    for (const char* name : {"dnsservers", "timeoutdns", "dnsanchors"})
        watches_.emplace_back(home_.control_file(name));
    watches_.emplace_back(resolv_conf);
    for (control::ChangeWatch& watched : watches_) watched.changed();
    checked_ = Clock::now();
    reload();
    set_nonblocking(listening_, true);
    loop_.add(listening_, EPOLLIN, [this](std::uint32_t) { accept_clients(); });
}

ResolverServer::~ResolverServer() {
    loop_.remove(listening_);
}

void ResolverServer::reload() {
    LookupSettings settings;
    settings.servers = control::read_lines(home_, "dnsservers").value_or(std::vector<std::string>());
    settings.resolv_conf = resolv_conf;
    const std::string anchors = home_.control_file("dnsanchors");
    if (control::read_line(home_, "dnsanchors")) settings.anchor_file = anchors;
    timeout_ = std::chrono::seconds(
        std::clamp<std::uint64_t>(control::read_number(home_, "timeoutdns", 30), 1, 3600));
    auto fresh = std::make_shared<Lookup>(loop_, settings);
    if (lookup_) retired_.push_back(std::move(lookup_));
    lookup_ = std::move(fresh);
    log_line("asking" +
             (settings.servers.empty() ? " the servers of " + std::string(resolv_conf)
                                       : joined(settings.servers)) +
             (settings.anchor_file.empty() ? "" : ", validating with " + anchors));
}

void ResolverServer::reload_if_changed() {
    if (Clock::now() - checked_ < reload_interval) return;
    checked_ = Clock::now();
    bool changed = false;
    for (control::ChangeWatch& watched : watches_) changed = watched.changed() || changed;
    if (!changed) return;
    try {
        reload();
    } catch (const Error& error) {
        // The old configuration goes on: a mistake in a file must not stop all mail.
        log_line("warning: configuration not changed: " + std::string(error.what()));
    }
    loop_.after(Seconds(1), [this] { sweep(); });
}

// A retired context is deleted outside its own callbacks, once nobody waits for it.
void ResolverServer::sweep() {
    std::erase_if(retired_, [](const auto& lookup) { return lookup->outstanding() == 0; });
    if (!retired_.empty()) loop_.after(Seconds(1), [this] { sweep(); });
}

void ResolverServer::accept_clients() {
    for (int round = 0; round < 64; ++round) {
        Fd fd(::accept4(listening_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (!fd) {
            if (errno == EMFILE || errno == ENFILE) close_quietest();
            return;
        }
        if (clients_.size() >= limits_.clients) close_quietest();
        if (clients_.size() >= limits_.clients) return;
        const ClientId id = next_client_++;
        const int number = fd.get();
        clients_[id].fd = std::move(fd);
        loop_.add(number, EPOLLIN | EPOLLRDHUP, [this, id](std::uint32_t events) { handle(id, events); });
    }
}

void ResolverServer::close_quietest() {
    const auto quietest =
        std::min_element(clients_.begin(), clients_.end(), [](const auto& a, const auto& b) {
            return std::pair(a.second.waiting, a.second.active) <
                   std::pair(b.second.waiting, b.second.active);
        });
    if (quietest != clients_.end() && !quietest->second.waiting) close_client(quietest->first);
}

void ResolverServer::close_client(ClientId id) {
    const auto found = clients_.find(id);
    if (found == clients_.end()) return;
    Client& client = found->second;
    loop_.remove(client.fd.get());
    if (client.timer != 0) loop_.cancel(client.timer);
    const bool was_asking = client.lookup != nullptr;
    if (was_asking && client.lookup_id >= 0) client.lookup->cancel(client.lookup_id);
    clients_.erase(found);
    if (!was_asking) return;
    --asking_;
    start_waiting();
}

void ResolverServer::handle(ClientId id, std::uint32_t events) {
    const auto found = clients_.find(id);
    if (found == clients_.end()) return;
    if ((events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP)) != 0) return close_client(id);
    if ((events & EPOLLIN) != 0 && !read_input(found->second)) return close_client(id);
    if ((events & EPOLLOUT) != 0) return flush(id);
    next_question(id);
}

bool ResolverServer::read_input(Client& client) {
    std::array<char, 2 * (2 + question_limit)> buffer{};
    const ssize_t count = ::read(client.fd.get(), buffer.data(), buffer.size());
    if (count < 0) return errno == EAGAIN || errno == EINTR;
    client.active = Clock::now();
    client.input.append(buffer.data(), static_cast<std::size_t>(count));
    return count > 0;
}

// Takes the next whole question out of the client's input, if it is that client's turn.
void ResolverServer::next_question(ClientId id) {
    Client& client = clients_.at(id);
    if (client.waiting || !client.output.empty() || client.input.size() < 2) return watch(client);
    const std::size_t length = static_cast<unsigned char>(client.input[0]) |
                               static_cast<std::size_t>(static_cast<unsigned char>(client.input[1])) << 8;
    if (length > question_limit) return close_client(id);
    if (client.input.size() < 2 + length) return watch(client);
    const auto question = decode_question(std::string_view(client.input).substr(2, length));
    client.input.erase(0, 2 + length);
    if (!question) return close_client(id);
    client.waiting = true;
    watch(client);
    if (!is_askable_name(question->name))
        return answer(id, DnsAnswer::without_records(DnsStatus::no_such_name));
    client.timer = loop_.after(timeout_, [this, id] {
        clients_.at(id).timer = 0;
        answer(id, DnsAnswer{});
    });
    if (asking_ < limits_.questions)
        start_question(id, *question);
    else
        waiting_.emplace_back(id, *question);
}

void ResolverServer::start_question(ClientId id, const DnsQuestion& question) {
    reload_if_changed();
    Client& client = clients_.at(id);
    try {
        client.lookup_id = lookup_->start(question, [this, id](const DnsAnswer& result) {
            clients_.at(id).lookup_id = -1;
            answer(id, result);
        });
        client.lookup = lookup_;
        ++asking_;
    } catch (const Error& error) {
        log_line("warning: " + std::string(error.what()));
        answer(id, DnsAnswer{});
    }
}

void ResolverServer::start_waiting() {
    while (asking_ < limits_.questions && !waiting_.empty()) {
        auto [id, question] = std::move(waiting_.front());
        waiting_.pop_front();
        const auto found = clients_.find(id);
        // Gone, or its time passed while it waited.
        if (found == clients_.end() || !found->second.waiting || found->second.lookup) continue;
        start_question(id, question);
    }
}

void ResolverServer::answer(ClientId id, const DnsAnswer& result) {
    Client& client = clients_.at(id);
    if (client.timer != 0) loop_.cancel(client.timer);
    client.timer = 0;
    const bool was_asking = client.lookup != nullptr;
    if (was_asking && client.lookup_id >= 0) client.lookup->cancel(client.lookup_id);
    client.lookup_id = -1;
    client.lookup.reset();
    client.waiting = false;
    client.active = Clock::now();
    client.output += encode_answer(result);
    if (was_asking) --asking_;
    // From the loop, not from here: this may run inside the DNS library's callback.
    loop_.change(client.fd.get(), EPOLLOUT | EPOLLRDHUP);
    if (was_asking && !waiting_.empty())
        loop_.after(std::chrono::milliseconds(0), [this] { start_waiting(); });
}

void ResolverServer::flush(ClientId id) {
    Client& client = clients_.at(id);
    const ssize_t count = ::write(client.fd.get(), client.output.data(), client.output.size());
    if (count < 0 && errno != EAGAIN && errno != EINTR) return close_client(id);
    if (count > 0) client.output.erase(0, static_cast<std::size_t>(count));
    if (client.output.empty()) return next_question(id);
    watch(client);
}

void ResolverServer::watch(const Client& client) {
    const bool may_read = !client.waiting && client.output.empty();
    std::uint32_t events = EPOLLRDHUP;
    if (may_read) events |= EPOLLIN;
    if (!client.output.empty()) events |= EPOLLOUT;
    loop_.change(client.fd.get(), events);
}

}  // namespace relais::net
