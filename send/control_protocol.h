// Requests to the running qmail-send, for qmailctl and the queue tools, on the stream socket "send-control"
// (mode 0600: root, or the one user of a user instance). A connection carries any number of requests, one
// line each, answered in order:
//
//   request = verb [" " ID] LF         ID in decimal: a message's, of cut a delivery's
//   answer  = "ok" LF | "error " text LF | (line LF)* "." LF
//
//   hold ID      never tried until released
//   release ID   undoes hold
//   retry ID     tried now
//   flush        everything is tried now, back-offs are forgotten
//   delete ID    removed, nobody is told
//   bounce ID    its open recipients fail now
//   stat         text: lines "NAME NUMBER" ("known N": messages it has seen; "signals N": SIGHUP and SIGALRM that it has
//                obeyed; running, limits and so on), and "destination NAME: text" for those with something to do,
//                with how long a delivery there usually takes
//   why ID       text: why this message waits
//   running      text: "qmail-send is ending ..." if it starts nothing more; a line for each delivery under way, of which
//                those that an earlier qmail-send has begun end with "from before the last restart"
//   cut ID       a delivery is ended, its message tried again by the schedule; text: its line as running has it, before
//   rules        text: why changed locals and virtualdomains do not count; none if they do
//   handover     another qmail-send is about to start: end as soon as records and bounces are done, and leave what is under
//                way to the spawners
//
// A line of a text that begins with "." has another one put before it. qmail-send trusts a client with the
// queue (the socket's mode is the check), but not with time: a request has control_line_limit octets, an idle
// connection is closed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/deadline.h"
#include "base/fd.h"
#include "base/io.h"
#include "control/home.h"

namespace relais::send {

inline constexpr std::size_t control_line_limit = 64;

enum class ControlVerb {
    hold,
    release,
    retry,
    remove,
    bounce,
    flush,
    stat,
    why,
    running,
    rules,
    handover,
    cut
};

struct ControlRequest {
    ControlVerb verb = ControlVerb::stat;
    std::uint64_t message = 0;  // for those that name one; of cut the delivery
};

struct ControlAnswer {
    bool ok = false;
    std::string text;  // the error, or the lines of a text, each ended by LF
};

// Lines without their LF. The decoder answers nothing for anything that is not exactly right.
std::string encode(const ControlRequest& request);
std::optional<ControlRequest> decode_control_request(std::string_view line);
// Whether that verb is answered by a text.
bool has_text(ControlVerb verb);
// The whole answer as it crosses the socket; has_text: the request's verb has one.
std::string encode(const ControlAnswer& answer, bool has_text);

// One connection to qmail-send.
class ControlClient {
  public:
    // Over a connection that somebody else has made.
    explicit ControlClient(Fd socket) : socket_(std::move(socket)), reader_(socket_.get()) {}
    // Throws Error: ENOENT, ECONNREFUSED when no qmail-send runs, EACCES when this user may not ask.
    ControlClient(const control::Home& home, Deadline deadline);
    // Asks and waits for the answer. Lines of a text with which it would have more than text_limit octets are
    // left out. Throws Error when qmail-send ends meanwhile or the deadline passes.
    ControlAnswer ask(const ControlRequest& request, Deadline deadline, std::size_t text_limit = SIZE_MAX);

  private:
    Fd socket_;
    Reader reader_;
};

}  // namespace relais::send
