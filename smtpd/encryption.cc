#include "smtpd/encryption.h"

#include <unistd.h>

#include <algorithm>

namespace relais::smtpd {
namespace {

constexpr std::chrono::seconds handshake_limit{60};

}  // namespace

KeydEncryption::~KeydEncryption() {
    if (!connection_) return;
    connection_->shut_down();
    connection_->ends_with_process();
}

const tls::Connection& KeydEncryption::start(Channel& channel) {
    connection_ = tls_.accept(STDIN_FILENO, Deadline::in(std::min(timeout_, handshake_limit)));
    if (channel.kernel_waits()) connection_->let_socket_wait();
    channel.switch_to(*connection_);
    return *connection_;
}

}  // namespace relais::smtpd
