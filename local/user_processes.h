// qmail-lspawn's processes of users (user_process.h): which of them has which deliveries, when a new one is needed, and when
// one has to go.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/event_loop.h"
#include "base/fd.h"
#include "send/delivery_protocol.h"

namespace relais::local {

class UserProcesses {
  public:
    using Owner = std::pair<uid_t, gid_t>;
    // In the child: becomes the user and serves the channel. Does not return.
    using Become = std::function<void(Owner owner, int channel)>;
    // What became of a delivery: its report, or nothing when the process has died. A report without recipients gives the
    // order back.
    using Answer = std::function<void(std::uint64_t delivery, std::optional<send::Report> report)>;

    UserProcesses(EventLoop& loop, Become become, Answer answer)
        : loop_(loop), become_(std::move(become)), answer_(std::move(answer)) {}

    // Gives an order, in the form of user_process.h and with the message's descriptor, to a process of that user; starts
    // one if none has room. Throws Error: then nobody has the order.
    void give(const Owner& owner, std::uint64_t delivery, std::string_view packet, int message);
    // A child has been waited for: its number may soon be another process's.
    void reaped(pid_t pid);

  private:
    struct Process {
        Owner owner;
        pid_t pid = -1;  // -1 once it has been waited for
        Fd channel;
        std::map<std::uint64_t, Clock::time_point> deliveries;  // by number, since when
        Clock::time_point idle_since = Clock::now();
    };
    using Place = std::list<Process>::iterator;

    Place find(const Owner& owner);
    Place start(const Owner& owner);
    void on_channel(Place place);
    // Closes its channel: an idle one ends by that.
    void end(Place place);
    static void kill(const Process& process);
    void make_room();
    void tidy_later();
    void tidy();

    EventLoop& loop_;
    Become become_;
    Answer answer_;
    std::list<Process> processes_;
    std::multimap<Owner, Place> by_owner_;
    std::size_t idle_ = 0;
    bool tidying_ = false;
};

}  // namespace relais::local
