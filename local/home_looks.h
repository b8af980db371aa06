// The half of qmail-rcptd that may become users: a question in, a process of that user to look, an answer out
// (local/home_look.h). It parses numbers alone, opens nothing in a home, and refuses whom qmail-lspawn
// refuses.
#pragma once

#include <sys/types.h>

#include <deque>
#include <map>
#include <string>
#include <utility>

#include "base/event_loop.h"
#include "base/fd.h"
#include "base/packet_batch.h"
#include "base/packet_queue.h"
#include "control/home.h"
#include "control/owners.h"
#include "local/delivery_refusal.h"
#include "local/home_look.h"

namespace relais::local {

// Answers question after question in the process of a user: looks for the .qmail file in the home that the
// question names. Returns when the other end of channel is closed.
void serve_home_looks(int channel);
// One such look; changes the working directory. not_now where a delivery would be deferred.
RecipientAnswer look_into_home(const User& user);

class HomeLooks {
  public:
    // channel: the packet socket to the half that asks, which this takes over.
    HomeLooks(EventLoop& loop, const control::Home& home, Fd channel);
    HomeLooks(const HomeLooks&) = delete;
    HomeLooks& operator=(const HomeLooks&) = delete;

  private:
    using Owner = std::pair<uid_t, gid_t>;
    struct Looker {
        pid_t pid = -1;
        Fd channel;
        std::deque<std::pair<std::uint64_t, Clock::time_point>> asked;  // ids in their order, and until when
        Clock::time_point quiet_since = Clock::now();
    };

    void on_channel(std::uint32_t events);
    void take(const HomeQuestion& question);
    bool is_refused(const HomeQuestion& question);
    Looker* looker_of(Owner owner);
    bool make_room();
    bool hangs(Owner owner) const;
    void start(Owner owner);
    [[noreturn]] void become_looker(Owner owner, int channel);
    void on_looker(Owner owner);
    void end(Owner owner);
    void reap();
    void look_at_clocks();
    void answer(std::uint64_t id, RecipientAnswer answer) { answers_.add(encode(HomeAnswer{id, answer})); }

    EventLoop& loop_;
    control::Owners owners_;
    DeliveryRefusals refusals_;
    Fd channel_;
    PacketReader questions_;
    PacketQueue answers_;
    PacketReader looks_;
    std::map<Owner, Looker> lookers_;
    std::map<pid_t, Owner> dying_;  // told to end; one that hangs in a dead file system does not
    bool clock_runs_ = false;       // while there are lookers
};

}  // namespace relais::local
