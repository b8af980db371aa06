#include "console/listeners.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "console/responses.h"

namespace relais::console {
namespace {

constexpr std::string_view changed = "data: changed\n\n";

bool is_same(const Levels& a, const Levels& b) {
    return a.queue == b.queue && a.held == b.held && a.damaged == b.damaged &&
           a.running_local == b.running_local && a.running_remote == b.running_remote;
}

}  // namespace

http::Response event_stream() {
    // The comment makes the browser see that it is open; a proxy is told to hold nothing back.
    http::Response response{200, "text/event-stream", ": open\n\n", protection(), true};
    response.fields.emplace_back("X-Accel-Buffering", "no");
    return response;
}

void Listeners::add(http::Server::Id client) {
    const metrics::Pages pages = metrics::read_pages(home_);
    const auto now = Clock::now();
    told_[client] = {now, metrics::sample_of(pages, now), metrics::levels_of(pages)};
    if (looking_) return;
    looking_ = true;
    loop_.after(between, [this] { look(); });
}

void Listeners::look() {
    const metrics::Pages pages = metrics::read_pages(home_);
    const auto now = Clock::now();
    const metrics::Sample sample = metrics::sample_of(pages, now);
    const metrics::Levels levels = metrics::levels_of(pages);
    std::erase_if(told_, [this](const auto& each) { return !server_.streams(each.first); });
    std::vector<std::pair<Clock::time_point, http::Server::Id>> due;
    for (const auto& [client, told] : told_) {
        const bool news = told.sample.counts != sample.counts || !is_same(told.levels, levels);
        if (now - told.when >= (news ? pause : silence)) due.emplace_back(told.when, client);
    }
    // Who has waited longest comes first.
    std::sort(due.begin(), due.end());
    if (due.size() > at_once) due.resize(at_once);
    for (const auto& [when, client] : due)
        if (server_.push(client, changed)) told_[client] = {now, sample, levels};
    looking_ = !told_.empty();
    if (looking_) loop_.after(between, [this] { look(); });
}

}  // namespace relais::console
