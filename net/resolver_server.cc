#include "net/resolver_server.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/program.h"
#include "base/unix_socket.h"
#include "control/setting.h"
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

// A client that does not read its answers gets no further ones.
bool may_ask(std::size_t under_way, const std::string& output) {
    return under_way < pipeline_limit && output.empty();
}

}  // namespace

ResolverServer::ResolverServer(EventLoop& loop, int listening, control::Home home, ResolverLimits limits)
    : loop_(loop), listening_(listening), home_(std::move(home)), limits_(limits), watch_(home_) {
    watch_.add(std::string(resolv_conf));
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
    const std::string anchors = home_.control_file("dnsanchors");
    watch_.record([&] {
        settings.servers = control::read<"dnsservers">(home_);
        if (control::read_if_there<"dnsanchors">(home_)) settings.anchor_file = anchors;
        timeout_ = control::read<"timeoutdns">(home_);
    });
    settings.resolv_conf = resolv_conf;
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
    if (!watch_.changed()) return;
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
        const uid_t uid = peer_of(fd.get()).uid;
        // Its connection ends: a question fails, for now.
        if (has_too_many(uid)) continue;
        if (clients_.size() >= limits_.clients) close_quietest();
        if (clients_.size() >= limits_.clients) return;
        const ClientId id = next_client_++;
        const int number = fd.get();
        clients_[id].fd = std::move(fd);
        clients_[id].uid = uid;
        ++of_users_[uid];
        loop_.add(number, EPOLLIN | EPOLLRDHUP, [this, id](std::uint32_t events) { handle(id, events); });
    }
}

bool ResolverServer::has_too_many(uid_t uid) const {
    if (uid == 0 || limits_.ours.contains(uid)) return false;
    const auto found = of_users_.find(uid);
    return found != of_users_.end() && found->second >= limits_.of_other_user;
}

void ResolverServer::close_quietest() {
    const auto quietest =
        std::min_element(clients_.begin(), clients_.end(), [](const auto& a, const auto& b) {
            return std::pair(!a.second.questions.empty(), a.second.active) <
                   std::pair(!b.second.questions.empty(), b.second.active);
        });
    if (quietest != clients_.end() && quietest->second.questions.empty()) close_client(quietest->first);
}

void ResolverServer::close_client(ClientId id) {
    const auto found = clients_.find(id);
    if (found == clients_.end()) return;
    loop_.remove(found->second.fd.get());
    bool were_asking = false;
    for (Question& question : found->second.questions) were_asking = end_question(question) || were_asking;
    if (--of_users_[found->second.uid] == 0) of_users_.erase(found->second.uid);
    clients_.erase(found);
    if (were_asking) start_waiting();
}

bool ResolverServer::end_question(Question& question) {
    if (question.timer != 0) loop_.cancel(question.timer);
    question.timer = 0;
    if (!question.lookup) return false;
    if (question.lookup_id >= 0) question.lookup->cancel(question.lookup_id);
    question.lookup_id = -1;
    question.lookup.reset();
    --asking_;
    return true;
}

void ResolverServer::handle(ClientId id, std::uint32_t events) {
    const auto found = clients_.find(id);
    if (found == clients_.end()) return;
    if ((events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP)) != 0) return close_client(id);
    if ((events & EPOLLIN) != 0 && !read_input(found->second)) return close_client(id);
    if ((events & EPOLLOUT) != 0) return flush(id);
    take_questions(id);
}

bool ResolverServer::read_input(Client& client) {
    std::array<char, 2 * (2 + question_limit)> buffer{};
    const ssize_t count = ::read(client.fd.get(), buffer.data(), buffer.size());
    if (count < 0) return errno == EAGAIN || errno == EINTR;
    client.active = Clock::now();
    client.input.append(buffer.data(), static_cast<std::size_t>(count));
    return count > 0;
}

// Takes the whole questions out of the client's input, as far as it may have them under way.
void ResolverServer::take_questions(ClientId id) {
    while (true) {
        Client& client = clients_.at(id);
        if (!may_ask(client.questions.size(), client.output) || client.input.size() < 2) break;
        const std::size_t length = static_cast<unsigned char>(client.input[0]) |
                                   static_cast<std::size_t>(static_cast<unsigned char>(client.input[1])) << 8;
        if (length > question_limit) return close_client(id);
        if (client.input.size() < 2 + length) break;
        const auto question = decode_question(std::string_view(client.input).substr(2, length));
        client.input.erase(0, 2 + length);
        if (!question) return close_client(id);
        take_question(id, *question);
    }
    watch(clients_.at(id));
}

void ResolverServer::take_question(ClientId id, const DnsQuestion& question) {
    Client& client = clients_.at(id);
    const QuestionId number = next_question_++;
    client.questions.push_back({number});
    if (!is_askable_name(question.name))
        return answer(id, number, DnsAnswer::without_records(DnsStatus::no_such_name));
    client.questions.back().timer = loop_.after(timeout_, [this, id, number] {
        find_question(id, number)->timer = 0;
        answer(id, number, DnsAnswer{});
    });
    if (asking_ < limits_.questions)
        start_question(id, number, question);
    else
        waiting_.push_back({id, number, question});
}

ResolverServer::Question* ResolverServer::find_question(ClientId client, QuestionId id) {
    const auto found = clients_.find(client);
    if (found == clients_.end()) return nullptr;
    for (Question& question : found->second.questions)
        if (question.id == id) return &question;
    return nullptr;
}

void ResolverServer::start_question(ClientId client, QuestionId id, const DnsQuestion& question) {
    reload_if_changed();
    Question& asked = *find_question(client, id);
    try {
        asked.lookup_id = lookup_->start(question, [this, client, id](const DnsAnswer& result) {
            find_question(client, id)->lookup_id = -1;
            answer(client, id, result);
        });
        asked.lookup = lookup_;
        ++asking_;
    } catch (const Error& error) {
        log_line("warning: " + std::string(error.what()));
        answer(client, id, DnsAnswer{});
    }
}

void ResolverServer::start_waiting() {
    while (asking_ < limits_.questions && !waiting_.empty()) {
        const Waiting next = std::move(waiting_.front());
        waiting_.pop_front();
        const Question* question = find_question(next.client, next.id);
        // Gone, or its time passed while it waited.
        if (!question || question->answer) continue;
        start_question(next.client, next.id, next.question);
    }
}

void ResolverServer::answer(ClientId id, QuestionId number, const DnsAnswer& result) {
    Client& client = clients_.at(id);
    Question& question = *find_question(id, number);
    const bool was_asking = end_question(question);
    question.answer = encode_answer(result);
    client.active = Clock::now();
    for (; !client.questions.empty() && client.questions.front().answer; client.questions.pop_front())
        client.output += *client.questions.front().answer;
    // From the loop, not from here: this may run inside the DNS library's callback.
    if (!client.output.empty()) loop_.change(client.fd.get(), EPOLLOUT | EPOLLRDHUP);
    if (was_asking && !waiting_.empty())
        loop_.after(std::chrono::milliseconds(0), [this] { start_waiting(); });
}

void ResolverServer::flush(ClientId id) {
    Client& client = clients_.at(id);
    const ssize_t count = ::write(client.fd.get(), client.output.data(), client.output.size());
    if (count < 0 && errno != EAGAIN && errno != EINTR) return close_client(id);
    if (count > 0) client.output.erase(0, static_cast<std::size_t>(count));
    if (client.output.empty()) return take_questions(id);
    watch(client);
}

void ResolverServer::watch(const Client& client) {
    std::uint32_t events = EPOLLRDHUP;
    if (may_ask(client.questions.size(), client.output)) events |= EPOLLIN;
    if (!client.output.empty()) events |= EPOLLOUT;
    loop_.change(client.fd.get(), events);
}

}  // namespace relais::net
