#include "listen/certificate_watch.h"

#include <utility>

#include "base/error.h"
#include "base/program.h"
#include "keyd/client.h"

namespace relais::listen {
namespace {

constexpr std::chrono::milliseconds patience{5000};
constexpr std::chrono::milliseconds reconnection_patience{20};
constexpr std::chrono::milliseconds pause{1000};

}  // namespace

CertificateWatch::CertificateWatch(EventLoop& loop, const control::Home& home, keyd::ServerTls& tls,
                                   std::function<void()> changed)
    : loop_(loop), home_(home), tls_(tls), changed_(std::move(changed)) {
    connect(true);
}

// Only before there are clients an answer is waited for: qmail-keyd's socket takes connections also while
// it is away.
void CertificateWatch::connect(bool first) {
    try {
        connection_ = keyd::watch(home_, Deadline::in(first ? patience : reconnection_patience));
        if (first) take_certificate();
        loop_.add(connection_.get(), EPOLLIN, [this](std::uint32_t) { on_answer(); });
    } catch (const Error& error) {
        connection_.reset();
        keys_are_away();
        if (!std::exchange(trouble_was_logged_, true)) log_line(std::string("TLS: ") + error.what());
        loop_.after(pause, [this] { connect(false); });
    }
}

void CertificateWatch::take_certificate() {
    auto chain = keyd::read_watched(connection_.get(), Deadline::in(patience));
    if (!chain) throw_errno("hear from", "qmail-keyd", ECONNRESET);
    trouble_was_logged_ = away_ = false;
    tls_.keys_are_away(false);
    try {
        tls_.prepare(*std::move(chain));
    } catch (const Error& error) {
        log_line(std::string("TLS stays as it was: ") + error.what());
    }
    changed_();
}

void CertificateWatch::keys_are_away() {
    if (std::exchange(away_, true)) return;
    tls_.keys_are_away(true);
    changed_();
}

void CertificateWatch::on_answer() {
    try {
        take_certificate();
    } catch (const Error&) {
        // It is being started again.
        loop_.remove(connection_.get());
        connection_.reset();
        keys_are_away();
        loop_.after(pause, [this] { connect(false); });
    }
}

}  // namespace relais::listen
