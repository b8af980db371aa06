#include "remote/interruption.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"
#include "send/delivery_protocol.h"

namespace relais::remote {
namespace {

constexpr std::chrono::milliseconds look_pause(500);

// What the signal's handler reads.
struct Watch {
    int channel = -1;
    const std::string* given_back = nullptr;
    const std::string* no_answer = nullptr;
    sig_atomic_t looks_for_an_answer = 0;
    volatile sig_atomic_t no_return = 0;
    volatile sig_atomic_t looks = 0;
} watch;

[[noreturn]] void leave(const std::string& report) {
    ::send(watch.channel, report.data(), report.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    ::_exit(0);
}

// Only calls that a signal handler may make.
void look(int) {
    const int number = errno;
    // While a delivery runs no order comes: what there is to read is the end.
    pollfd entry{watch.channel, POLLIN, 0};
    if (::poll(&entry, 1, 0) > 0) {
        if (watch.no_return == 0) leave(*watch.given_back);
        watch.looks = watch.looks + 1;
        if (watch.looks > watch.looks_for_an_answer) leave(*watch.no_answer);
    }
    errno = number;
}

void set_timer(std::chrono::microseconds pause) {
    const itimerval timer{{0, pause.count()}, {0, pause.count()}};
    if (::setitimer(ITIMER_REAL, &timer, nullptr) != 0) throw_errno("set", "a timer");
}

}  // namespace

Interruption::Interruption(int channel, std::uint64_t delivery, std::size_t recipients,
                           std::chrono::milliseconds patience) {
    send::Report report{delivery, {}, "", false, 0};
    given_back_ = send::encode(report);
    report.recipients.assign(
        recipients,
        {send::Outcome::temporary,
         "qmail-send was restarted, or the delivery cut off by hand, and the server "
         "did not answer within a minute after it had the message. Possible duplicate! (#4.4.2)\n"});
    no_answer_ = send::encode(report);
    watch.channel = channel;
    watch.given_back = &given_back_;
    watch.no_answer = &no_answer_;
    watch.looks_for_an_answer = static_cast<sig_atomic_t>(patience / look_pause);
    watch.no_return = 0;
    watch.looks = 0;
    struct sigaction action {};
    action.sa_handler = look;
    action.sa_flags = SA_RESTART;
    if (::sigaction(SIGALRM, &action, nullptr) != 0) throw_errno("handle", "SIGALRM");
    set_timer(look_pause);
}

Interruption::~Interruption() {
    const itimerval none{};
    ::setitimer(ITIMER_REAL, &none, nullptr);
    ::signal(SIGALRM, SIG_IGN);
}

void Interruption::point_of_no_return() {
    watch.no_return = 1;
}

}  // namespace relais::remote
