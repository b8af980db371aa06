// A program that stands in for qmail-queue ($QMAILQUEUE): the message on its fd 0, the envelope on its fd 1,
// its exit code is the answer; with code 82 the text it wrote to fd 6 (D or Z first, at most 255 octets).
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/deadline.h"
#include "base/fd.h"
#include "control/home.h"
#include "queue/filter_process.h"
#include "queue/protocol.h"

namespace relais::queue {

class Filter {
  public:
    // Starts the program as a child; a path that does not begin with '/' is below the home directory. Throws
    // Error.
    Filter(const control::Home& home, const std::string& program, const std::string& extension = "");
    // Has the runner at the other end of this channel (filter_protocol.h), which is borrowed, start the one
    // that it knows. Throws Error.
    Filter(int runner, const std::string& extension);
    // Kills and reaps a program that was not finished: it must not take half a message for a whole one.
    ~Filter();
    Filter(const Filter&) = delete;
    Filter& operator=(const Filter&) = delete;

    // A program that no longer reads has its reasons, which its exit code says; only "accepted" is not
    // believed then. Throws Error on a timeout.
    void write_message(std::string_view data, Deadline deadline);
    // Ends the message, writes the envelope, waits for the program. Throws Error on a timeout.
    SubmitAnswer finish(std::string_view envelope, Deadline deadline);
    pid_t pid() const { return process_->pid(); }

  private:
    template <class Begin>
    void start(const Begin& begin);
    int wait(Deadline deadline, std::string& text);

    std::unique_ptr<FilterProcess> process_;
    bool running_ = true;
    bool read_all_ = true;
    Fd message_;
    Fd envelope_;
    Fd text_;
};

}  // namespace relais::queue
