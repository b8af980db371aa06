// qmail-lspawn's work: orders in, a forked delivery for each, reports out.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <unordered_map>

#include "base/event_loop.h"
#include "base/fd.h"
#include "base/packet_batch.h"
#include "control/control_file.h"
#include "control/home.h"
#include "control/owners.h"
#include "local/delivery_refusal.h"
#include "local/known_users.h"
#include "local/lookup.h"
#include "local/srs.h"
#include "local/user_lookup.h"
#include "local/user_processes.h"
#include "send/delivery_protocol.h"
#include "send/spawner_line.h"

namespace relais::local {

struct Order;

class Spawner {
  public:
    // channel: the packet socket to qmail-send; heirs: start/descriptors.h. Neither is passed on to programs.
    Spawner(control::Home home, std::string default_delivery, Fd channel, Fd heirs);

    // Serves orders until it retires, and then until the reports of its last deliveries have been taken.
    // Throws Error.
    void run();

  private:
    // As much of a delivery's words as goes into a bounce.
    static constexpr std::size_t report_limit = 3000;

    struct Delivery {
        send::LocalOrder order;
        Fd message;
        Fd output;       // what the delivery says, to be read when it has exited
        pid_t pid = -1;  // of the process that it has for itself
        LookupAnswer user;
        std::uint64_t asked_in = 0;      // KnownUsers::state
        bool asked_again = false;        // users/cdb had changed meanwhile
        bool begun = false;              // its user is known, and somebody is at it
        Clock::time_point overdue_at{};  // control/deadlinelocal; none for the default value
        bool overdue = false;            // it was ended for that
        bool cut = false;                // it was ended by hand
    };

    bool before_wait();
    void take_order(PacketReader::Packet packet);
    void on_lookup_answer(const LookupAnswer& answer);
    void lookups_died();
    void ask(std::uint64_t number, Delivery& delivery);
    void take_answer(const LookupAnswer& answer);
    void look_for_changes();
    Clock::duration may_stay();
    bool must_ask_again(std::string_view local, const FoundIds& found, Delivery& delivery);
    void begin(Delivery& delivery);
    bool suits_user_process(const Delivery& delivery);
    void add_rewritten(const Delivery& delivery, Order& order) const;
    UserProcesses::Owner owner_of(const LookupAnswer& answer) const;
    [[noreturn]] void become_user_process(UserProcesses::Owner owner, int channel);
    void take_user_answer(std::uint64_t number, std::optional<send::Report> answer,
                          const std::string& trouble);
    void start(Delivery& delivery, const LookupAnswer& answer);
    [[noreturn]] void deliver_in_child(const Delivery& delivery, const LookupAnswer& answer, int output);
    void watch(Delivery& delivery, Seconds limit);
    void end_overdue();
    void reap();
    void end(Delivery& delivery, int status);
    void report(std::uint64_t delivery, send::Outcome outcome, std::string text);
    std::optional<std::string> fault_of(const Delivery& delivery) const;
    void retire();
    void cut(std::uint64_t number);
    void close_all_but_child_descriptors(int last) const;

    control::Home home_;
    control::Owners owners_;
    std::string default_delivery_;
    EventLoop loop_;
    send::SpawnerLine line_;
    UserLookup lookups_;
    std::unordered_map<std::uint64_t, Delivery> deliveries_;  // by number
    std::unordered_map<pid_t, std::uint64_t> running_;
    KnownUsers known_users_;
    std::uint64_t users_state_ = 0;  // KnownUsers::state, when the processes of users were last judged by it
    control::ChangeWatch accounts_;
    DeliveryRefusals refusals_;
    UserProcesses users_;
    // Users (in the look-up's words) whose instructions asked for more than a Maildir lately, until when that
    // counts.
    std::unordered_map<std::string, Clock::time_point> declined_;
    Srs srs_domain_{};  // whose deliveries need more than a Maildir
    EventLoop::TimerId look_timer_ = 0;
    Clock::time_point next_look_{};
};

}  // namespace relais::local
