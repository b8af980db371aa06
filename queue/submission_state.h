// A submission on its way: what has been gathered, sent and answered. Only client.cc and submission_state.cc
// know it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/deadline.h"
#include "base/fd.h"
#include "control/home.h"
#include "queue/client.h"
#include "queue/drop.h"
#include "queue/filter.h"

namespace relais::queue {

inline constexpr std::size_t submission_header_size = 4;
inline constexpr std::size_t submission_length_size = 4;

// The buffer holds what goes out next: the header while nothing has been sent, room for a frame's length,
// octets.
struct Submission::State {
    State(const control::Home& home_, Door door_, Deadline deadline_)
        : home(home_), door(door_), deadline(deadline_) {}

    const control::Home home;
    const Door door;
    const Deadline deadline;
    bool named_by_pid = false;
    std::string extension;
    std::string extension_sender;  // the envelope must have it
    std::string extension_variable;
    std::string session;
    std::optional<std::string> filter_program;
    int runner = -1;  // of filters; it knows the program
    std::unique_ptr<Filter> filter;
    Fd server;
    // Of what streams and cannot be said again: a copy from its first octet on, for a server that goes away.
    std::unique_ptr<Drop> drop;
    std::string buffer = std::string(submission_header_size + submission_length_size, '\0');
    std::size_t length_at = submission_header_size;
    bool streaming = false;
    // Set once nothing more can be sent; finish() reports it, unless the server said more.
    std::optional<SubmitAnswer> failure;
    std::uint64_t qp = 0;

    bool has_filter() const { return filter_program || runner >= 0; }
    std::size_t octets() const { return buffer.size() - length_at - submission_length_size; }
    void open();
    void append(std::string_view part);
    Fd connect() const;
    void end_frame();
    void send_buffer();
    void empty_buffer();
    void copy_to_drop();
    void fail(SubmitCode code) { failure = SubmitAnswer{code, 0, {}}; }
    // Takes a step unless there is a failure; its Error becomes one.
    void guarded(void (State::*step)());
    SubmitAnswer finish_filter(std::string_view envelope);
    void append_group(std::string_view octets);
    void name_version();
    void ask_for_extensions();
    bool server_knows_extensions();
    void exchange(std::string_view envelope);
    bool refused_version() const;
    bool may_say_less() const;
    void name_own_session();
    void forget_extension();
    void say_again(const std::string& message, std::string_view envelope);
    // Programs of this host may leave a message in the drop directory; a $QMAILQUEUE program does that
    // itself.
    bool may_drop() const { return door == Door::submit && !has_filter(); }
    bool server_is_away() const;
    void go_on_without_server();
    void leave_in_drop(const std::string& message, std::string_view envelope);
    void read_answer();
};

}  // namespace relais::queue
