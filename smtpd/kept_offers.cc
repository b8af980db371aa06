#include "smtpd/kept_offers.h"

#include "auth/protocol.h"
#include "base/error.h"

namespace relais::smtpd {
namespace {

// To be connected, or to read an answer that has begun to come.
constexpr std::chrono::milliseconds patience{20};
constexpr std::chrono::seconds pause{1};

}  // namespace

KeptOffers::KeptOffers(EventLoop& loop, const control::Home& home)
    : loop_(loop), home_(home), accounts_(home.path("users/passwd.cdb")) {
    accounts_.changed();
    ask();
}

void KeptOffers::look() {
    if (!accounts_.changed()) return;
    known_.sure = false;
    ask();
}

void KeptOffers::ask() {
    if (timer_ != 0) loop_.cancel(std::exchange(timer_, 0));
    if (connection_) loop_.remove(connection_.get());
    try {
        connection_ = auth::begin(home_, {auth::RequestKind::watch, {}, {}, {}, {}, {}},
                                  Deadline::in(patience), auth::smtp_socket);
        loop_.add(connection_.get(), EPOLLIN, [this](std::uint32_t) { take_answer(); });
    } catch (const Error&) {
        // It is being started, and will be asked then; until then each session asks for itself.
        ask_later();
    }
}

void KeptOffers::take_answer() {
    const auth::Answer answer = auth::finish(connection_.get(), Deadline::in(patience));
    if (answer.result != auth::Result::right) return ask_later();
    known_ = {parse_offers(answer.text), true};
}

void KeptOffers::ask_later() {
    known_.sure = false;
    if (connection_) loop_.remove(connection_.get());
    connection_.reset();
    if (timer_ == 0)
        timer_ = loop_.after(pause, [this] {
            timer_ = 0;
            ask();
        });
}

}  // namespace relais::smtpd
