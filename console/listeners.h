// Browsers that want to hear when something has changed (server-sent events). They are told that, and nothing
// of what: they ask for their page again, with their session.
#pragma once

#include <cstddef>
#include <map>

#include "base/event_loop.h"
#include "console/samples.h"
#include "control/home.h"
#include "http/server.h"

namespace relais::console {

class Listeners {
  public:
    static constexpr std::size_t most = 16;    // one more is answered with 503: his page asks now and then
    static constexpr Seconds between{1};       // two looks at the counters, as long as somebody listens
    static constexpr Seconds pause{5};         // between two words to one of them
    static constexpr std::size_t at_once = 2;  // who are told at one look: each asks for a page then
    static constexpr Seconds silence{30};      // at most: times on a page go on though nothing happens

    Listeners(EventLoop& loop, http::Server& server, control::Home home)
        : loop_(loop), server_(server), home_(std::move(home)) {}
    Listeners(const Listeners&) = delete;
    Listeners& operator=(const Listeners&) = delete;

    bool full() const { return told_.size() >= most; }
    // A client whose answer is a stream.
    void add(http::Server::Id client);

  private:
    // What there was when each was last told.
    struct Told {
        Clock::time_point when;
        metrics::Sample sample;
        metrics::Levels levels;
    };
    void look();

    EventLoop& loop_;
    http::Server& server_;
    control::Home home_;
    std::map<http::Server::Id, Told> told_;
    bool looking_ = false;
};

// The beginning of such an answer.
http::Response event_stream();

}  // namespace relais::console
