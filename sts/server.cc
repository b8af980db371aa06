#include "sts/server.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/accept.h"
#include "base/error.h"
#include "base/program.h"
#include "base/time.h"
#include "base/unix_socket.h"
#include "sts/fetch.h"

namespace relais::sts {
namespace {

// The last two labels: whoever has one such name has all below it for nothing.
std::string_view owner_of(std::string_view domain) {
    const std::size_t last = domain.rfind('.');
    const std::size_t before =
        last == std::string_view::npos || last == 0 ? std::string_view::npos : domain.rfind('.', last - 1);
    return before == std::string_view::npos ? domain : domain.substr(before + 1);
}

Found nothing(const std::string& reason) {
    Found found;
    found.state = Found::State::none;
    found.reason = reason;
    return found;
}

}  // namespace

StsServer::StsServer(EventLoop& loop, int listening, std::vector<Fd> fetchers, Cache& cache,
                     ServerLimits limits)
    : loop_(loop), listening_(listening), cache_(cache), limits_(limits) {
    for (Fd& each : fetchers) fetchers_.push_back({std::move(each)});
    for (std::size_t i = 0; i < fetchers_.size(); ++i) {
        set_nonblocking(fetchers_[i].fd.get(), true);
        loop_.add(fetchers_[i].fd.get(), EPOLLIN, [this, i](std::uint32_t) { on_fetcher(i); });
    }
    set_nonblocking(listening, true);
    loop_.add(listening, EPOLLIN, [this](std::uint32_t) { accept_clients(); });
    refresh();
}

void StsServer::accept_clients() {
    accepting_ = accept_waiting(
        listening_, [this] { return clients_.size() < limits_.clients; },
        [this](Fd fd) {
            const ClientId id = next_client_++;
            loop_.add(fd.get(), EPOLLIN, [this, id](std::uint32_t events) { handle(id, events); });
            clients_[id].fd = std::move(fd);
        });
    if (!accepting_) loop_.change(listening_, 0);
}

void StsServer::handle(ClientId id, std::uint32_t events) {
    if (!exchange(id, events)) close(id);
}

// False if it has gone, or broke the form.
bool StsServer::exchange(ClientId id, std::uint32_t events) {
    Client& client = clients_.at(id);
    if ((events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0) {
        std::array<char, question_head_size + question_limit> buffer;
        const ssize_t size = ::recv(client.fd.get(), buffer.data(), buffer.size(), 0);
        if (size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR)) return false;
        // Who asks on before he has read an answer waits in his socket at last.
        if (size > 0) client.input.append(buffer.data(), static_cast<std::size_t>(size));
        if (client.input.size() > 2 * buffer.size()) return false;
    }
    bool broken = false;
    while (!client.asked && client.output.empty()) {
        const auto question = take_question(client.input, broken);
        if (!question) break;
        serve(id, *question);
        if (!send_pending(client.fd.get(), client.output)) return false;
    }
    if (broken || !send_pending(client.fd.get(), client.output)) return false;
    loop_.change(client.fd.get(), client.output.empty() ? EPOLLIN : EPOLLIN | EPOLLOUT);
    return true;
}

void StsServer::close(ClientId id) {
    const auto found = clients_.find(id);
    if (found->second.timer != 0) loop_.cancel(found->second.timer);
    loop_.remove(found->second.fd.get());
    clients_.erase(found);
    if (!accepting_) loop_.change(listening_, EPOLLIN);
    accepting_ = true;
}

void StsServer::serve(ClientId id, const Question& question) {
    Client& client = clients_.at(id);
    const Entry* entry = cache_.find(question.domain, now_seconds());
    // A record that is missing says nothing of a policy that is known (RFC 8461, 5.1).
    const bool current = entry != nullptr && (question.id.empty() || question.id == entry->id);
    if (current || question.id.empty() || !want(question.domain)) {
        const auto failed = failures_.find(question.domain);
        const std::string reason = question.id.empty()         ? "there is no record of a policy in DNS"
                                   : failed == failures_.end() ? "too many policies are being fetched"
                                                               : failed->second.reason;
        client.output += encode(known(question.domain, reason));
        return;
    }
    client.asked = question;
    client.timer = loop_.after(answer_patience, [this, id] {
        clients_.at(id).timer = 0;
        answer(id, known(clients_.at(id).asked->domain, "its policy is still being fetched"));
    });
}

void StsServer::answer(ClientId id, const Found& found) {
    Client& client = clients_.at(id);
    if (client.timer != 0) loop_.cancel(std::exchange(client.timer, 0));
    client.asked.reset();
    client.output += encode(found);
    if (!exchange(id, EPOLLOUT)) close(id);
}

Found StsServer::known(const std::string& domain, const std::string& reason) {
    const Entry* entry = cache_.find(domain, now_seconds());
    if (entry == nullptr) return nothing(reason);
    Found found;
    found.state = Found::State::policy;
    found.policy = entry->policy;
    found.ends = entry->ends;
    return found;
}

// True if it is being fetched, or will be.
bool StsServer::want(const std::string& domain) {
    const std::int64_t now = now_seconds();
    const auto failed = failures_.find(domain);
    if (failed != failures_.end() && failed->second.until > now) return false;
    const auto waits = [&](const std::deque<std::string>& jobs) {
        return std::find(jobs.begin(), jobs.end(), domain) != jobs.end();
    };
    if (std::any_of(fetchers_.begin(), fetchers_.end(),
                    [&](const Fetcher& each) { return each.domain == domain; }) ||
        waits(jobs_) || waits(renewals_))
        return true;
    auto& jobs = cache_.find(domain, now) != nullptr ? renewals_ : jobs_;
    const auto of_one = std::count_if(jobs.begin(), jobs.end(), [&](const std::string& each) {
        return owner_of(each) == owner_of(domain);
    });
    if (jobs.size() >= limits_.jobs || static_cast<std::size_t>(of_one) >= limits_.jobs_of_one) return false;
    jobs.push_back(domain);
    give_out();
    return true;
}

void StsServer::give_out() {
    for (Fetcher& fetcher : fetchers_) {
        give_out(fetcher, renewals_);
        if (&fetcher != &fetchers_.back() || fetchers_.size() == 1) give_out(fetcher, jobs_);
    }
}

// The first one whose owner keeps no other fetcher busy.
void StsServer::give_out(Fetcher& fetcher, std::deque<std::string>& jobs) {
    if (!fetcher.domain.empty()) return;
    const auto next = std::find_if(jobs.begin(), jobs.end(), [this](const std::string& domain) {
        return std::none_of(fetchers_.begin(), fetchers_.end(), [&](const Fetcher& each) {
            return !each.domain.empty() && owner_of(each.domain) == owner_of(domain);
        });
    });
    if (next == jobs.end()) return;
    fetcher.domain = std::move(*next);
    jobs.erase(next);
    const Seconds patience = &jobs == &renewals_ ? limits_.patience : answer_patience;
    send_packet(fetcher.fd.get(), encode(Order{fetcher.domain, patience}));
}

void StsServer::on_fetcher(std::size_t number) {
    Fetcher& fetcher = fetchers_[number];
    const auto packet = receive_packet(fetcher.fd.get(), reply_limit);
    if (!packet || fetcher.domain.empty()) {
        lost_fetcher_ = true;
        return loop_.stop();
    }
    const std::string domain = std::exchange(fetcher.domain, "");
    fetched(domain, packet->data);
    give_out();
}

void StsServer::fetched(const std::string& domain, std::string_view reply) {
    const std::int64_t now = now_seconds();
    auto found = decode_reply(reply);
    if (found && found->policy) {
        failures_.erase(domain);
        const std::int64_t ends = now + found->policy->max_age;
        try {
            cache_.put(domain, {*std::move(found->policy), std::move(found->id), now, ends}, now);
        } catch (const Error& error) {
            log_line(std::string("alert: a policy is kept in memory alone: ") + error.what());
        }
    } else {
        note_failure(domain, found ? found->reason : "its fetcher says nonsense");
    }
    const auto failed = failures_.find(domain);
    const std::string reason = failed == failures_.end() ? "" : failed->second.reason;
    std::vector<ClientId> waiting;
    for (const auto& [id, client] : clients_)
        if (client.asked && client.asked->domain == domain) waiting.push_back(id);
    for (const ClientId id : waiting) answer(id, known(domain, reason));
}

void StsServer::note_failure(const std::string& domain, const std::string& reason) {
    log_line("warning: " + domain + ": " + reason);
    const std::int64_t now = now_seconds();
    if (failures_.size() >= limits_.failures)
        std::erase_if(failures_, [&](const auto& each) { return each.second.until <= now; });
    if (failures_.size() >= limits_.failures) failures_.erase(failures_.begin());
    const auto before = failures_.find(domain);
    const std::int64_t rest = before == failures_.end()
                                  ? limits_.between_tries
                                  : std::min(before->second.rest * 2, limits_.longest_rest);
    failures_[domain] = {now + rest, rest, reason};
}

void StsServer::refresh() {
    // One at a time, beside what somebody waits for.
    if (fetchers_.back().domain.empty() && renewals_.empty())
        if (const auto domain = cache_.due(now_seconds())) want(*domain);
    loop_.after(limits_.between_refreshes, [this] { refresh(); });
}

}  // namespace relais::sts
