// What qmail-send must not wait for: syncing the record of a failure, submitting a bounce to qmail-queued. A
// child process does it, forked before qmail-send confines itself, one piece of work after the other. There
// are some for each of the two: a queue that takes no bounces holds up no record, and those that wait at the
// same time share a sync. Each holds the instance lock: no new qmail-send starts beside it.
//
//   request, answer = length (4 octets, little-endian) fields     on a stream socket pair, between the same program
#pragma once

#include <sys/types.h>

#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "base/event_loop.h"
#include "base/fd.h"
#include "queue/store.h"
#include "send/sender.h"

namespace relais::send {

// What a request or an answer may have; a child ends when it is sent more.
inline constexpr std::size_t slow_request_limit = std::size_t{4} << 20;
// Requests that a child has at a time: what an end of qmail-send waits for.
inline constexpr std::size_t slow_requests_given = 4;

// What the child does. Public for tests.
std::string record_failure(const queue::Store& store, const FailureRecord& record);  // "" or what went wrong
// text: of a failure, what is to be said of the recipients who have no record; else all of it. A report that
// is no failure is discarded where nobody wants it: no sender, or a mailing list's message.
BounceResult submit_report(const control::Home& home, const queue::Store& store, queue::MessageId id,
                           ReportKind kind, const std::string& text, Deadline deadline);

std::string encode(const FailureRecord& record);
std::optional<FailureRecord> decode_failure_record(std::string_view data);

// A child and the way to it.
class SlowWorker {
  public:
    using Work = std::function<std::string(const std::string& request)>;
    // Forks. The child runs work for each request until this end closes; it closes the descriptors in
    // unwanted, and confines itself by confine. name is shown by ps(1). Throws Error.
    SlowWorker(std::string_view name, const std::vector<int>& unwanted, const std::function<void()>& confine,
               const Work& work);

    // Answers come to on_answer; on_death is called if the child has ended.
    void attach(EventLoop& loop, std::function<void(const std::string&)> on_answer,
                std::function<void()> on_death);
    void ask(std::string_view request);
    // Forgets the requests that the child has not been given yet; returns how many.
    std::size_t drop_waiting();
    // Not answered yet.
    std::size_t requests() const { return given_ + waiting_.size(); }
    int descriptor() const { return socket_.get(); }

  private:
    void exchange(std::uint32_t events);
    void give_out();
    void write_out();

    Fd socket_;
    EventLoop* loop_ = nullptr;
    std::function<void(const std::string&)> on_answer_;
    std::function<void()> on_death_;
    std::deque<std::string> waiting_;
    std::size_t given_ = 0;  // and not answered
    std::string out_;
    std::size_t out_sent_ = 0;
    std::string in_;
    bool waits_to_write_ = false;
};

}  // namespace relais::send
