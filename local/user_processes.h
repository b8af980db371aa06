// qmail-lspawn's processes of users (user_process.h): which of them has which deliveries, when another one is
// needed, and when one has to go. A process gets what waits for its user when it has nothing to do, never
// more, and when it does not answer, what it has not begun is taken from it again: should it be stopped or
// hang, nothing waits for it but what it has begun.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/event_loop.h"
#include "base/fd.h"
#include "base/packet_batch.h"
#include "send/delivery_protocol.h"

namespace relais::local {

class UserProcesses {
  public:
    using Owner = std::pair<uid_t, gid_t>;
    // In the child: becomes the user and serves the channel. Does not return.
    using Become = std::function<void(Owner owner, int channel)>;
    // What became of a delivery: its report, or what is to be reported as a temporary failure. A report
    // without recipients gives the order back.
    using Answer = std::function<void(std::uint64_t delivery, std::optional<send::Report> report,
                                      const std::string& trouble)>;

    // Says how long a process may stay without an order; asked now and then.
    using MayStay = std::function<Clock::duration()>;

    UserProcesses(EventLoop& loop, Become become, Answer answer, MayStay may_stay);

    // Lets an order, in the form of user_process.h, wait for a process of that user. Borrows the message's
    // descriptor until the answer.
    void give(const Owner& owner, std::uint64_t delivery, std::string packet, int message);
    // Ends a delivery that a process has, and with it those that this process has read too. Its answer
    // follows; false: no process had it, and there is none.
    bool cut(std::uint64_t delivery);
    // Gives processes what waits for them: to be called before each wait. True if there is more to do at
    // once.
    bool dispatch();
    // A child has been waited for: its number may soon be another process's.
    void reaped(pid_t pid);
    // Something has changed that a process may be a remnant of (an account, a file of the instance): the idle
    // ones end now, the others when they have answered.
    void outdate();

  private:
    struct Order {
        std::uint64_t delivery;
        std::string packet;
        int message;
    };
    struct Process {
        Owner owner;
        pid_t pid = -1;  // -1 once it has been waited for
        Fd channel;
        Fd its_end;                              // of the channel: what it has not read can be read here
        std::vector<Order> given;                // what it has, in order
        Clock::time_point heard = Clock::now();  // when it got its orders, or last answered
        bool outdated = false;                   // it gets no more orders
    };
    using Place = std::list<Process>::iterator;
    // What a user has.
    struct User {
        std::deque<Order> waiting;
        std::vector<Place> idle;
        std::vector<Place> busy;
        bool called = false;  // stands in called_
    };

    void dispatch(const Owner& owner, User& user);
    bool may_have_another(const User& user, Clock::time_point now) const;
    Place start(const Owner& owner);
    bool hand_over(User& user, Place place);
    void call(const Owner& owner, User& user);
    void on_channel(Place place);
    bool take_answers(Place place);
    bool take_answer(Place place, std::string_view packet);
    void take_back(Place place);
    // Closes its channel: an idle one ends by that. What it has read is lost.
    void end(Place place);
    void forget_if_empty(const Owner& owner);
    static void kill(const Process& process);
    void make_room();
    void tidy_later();
    void tidy();

    EventLoop& loop_;
    Become become_;
    Answer answer_;
    MayStay may_stay_;
    PacketReader reports_;
    PacketReader unread_;
    std::list<Process> processes_;
    std::map<Owner, User> users_;
    std::vector<Owner> called_;  // have orders and perhaps a process for them
    std::size_t idle_ = 0;
    bool tidying_ = false;
};

}  // namespace relais::local
