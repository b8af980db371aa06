#include "queue/filter.h"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "base/error.h"
#include "base/io.h"

namespace relais::queue {
namespace {

constexpr int legacy_address_too_long = 115;

// False if the program no longer reads.
bool write_unless_closed(int fd, std::string_view data, Deadline deadline) {
    try {
        write_all(fd, data, deadline);
        return true;
    } catch (const Error& error) {
        if (error.number() != EPIPE) throw;
        return false;
    }
}

SubmitAnswer answer_of(int status, std::string text) {
    if (!WIFEXITED(status)) return {SubmitCode::bug, 0, {}};
    const int code = WEXITSTATUS(status);
    if (code == legacy_address_too_long) return {SubmitCode::address_too_long, 0, {}};
    return {static_cast<SubmitCode>(code), 0,
            code == static_cast<int>(SubmitCode::custom) ? std::move(text) : ""};
}

// Adds what the program has written, up to the limit; what is beyond is read for nobody. False at the end, or
// when there is no more at the moment.
bool read_text(int fd, std::string& text) {
    char piece[4096];
    const ssize_t count = ::read(fd, piece, sizeof piece);
    if (count <= 0) return false;
    text.append(piece, std::min(static_cast<std::size_t>(count), answer_text_limit - text.size()));
    return true;
}

}  // namespace

Filter::Filter(const control::Home& home, const std::string& program, const std::string& extension) {
    start([&](const FilterEnds& ends) { return fork_filter(home.directory(), program, extension, ends); });
}

Filter::Filter(int runner, const std::string& extension) {
    start([&](const FilterEnds& ends) { return ask_for_filter(runner, extension, ends); });
}

template <class Begin>
void Filter::start(const Begin& begin) {
    Pipe message = make_pipe();
    Pipe envelope = make_pipe();
    Pipe text = make_pipe();
    process_ = begin(FilterEnds{message.read.get(), envelope.read.get(), text.write.get()});
    message_ = std::move(message.write);
    envelope_ = std::move(envelope.write);
    text_ = std::move(text.read);
    set_nonblocking(message_.get(), true);
    set_nonblocking(envelope_.get(), true);
    set_nonblocking(text_.get(), true);
}

Filter::~Filter() {
    if (running_) process_->kill();
}

void Filter::write_message(std::string_view data, Deadline deadline) {
    if (!write_unless_closed(message_.get(), data, deadline)) read_all_ = false;
}

SubmitAnswer Filter::finish(std::string_view envelope, Deadline deadline) {
    message_.reset();
    if (!write_unless_closed(envelope_.get(), envelope, deadline)) read_all_ = false;
    envelope_.reset();
    std::string text;
    const int status = wait(deadline, text);
    SubmitAnswer answer = answer_of(status, std::move(text));
    // It cannot have taken what it never read.
    if (answer.code == SubmitCode::accepted && !read_all_) answer.code = SubmitCode::communication;
    return answer;
}

// A program that says more than it may must not wait for us, nor we for a child of it that lives on with its
// end of the text pipe: the process itself tells for sure.
int Filter::wait(Deadline deadline, std::string& text) {
    pollfd entries[] = {{process_->end(), POLLIN, 0}, {text_.get(), POLLIN, 0}};
    while (entries[0].revents == 0) {
        if (::poll(entries, 2, deadline.milliseconds()) < 0 && errno != EINTR)
            throw_errno("wait for", "$QMAILQUEUE");
        if (deadline.passed()) throw_errno("wait for", "$QMAILQUEUE", ETIMEDOUT);
        if (entries[1].revents != 0 && !read_text(text_.get(), text)) entries[1].fd = -1;
    }
    while (text.size() < answer_text_limit && read_text(text_.get(), text)) {
    }
    running_ = false;
    return process_->status();
}

}  // namespace relais::queue
