#include "smtpd/encryption.h"

#include <algorithm>

namespace relais::smtpd {
KeydEncryption::~KeydEncryption() {
    if (connection_) connection_->shut_down();
}

const tls::Connection& KeydEncryption::start(Channel& channel) {
    connection_ = tls_.accept(connection_fd_, Deadline::in(std::min(timeout_, handshake_limit)));
    if (channel.kernel_waits()) connection_->let_socket_wait();
    channel.switch_to(*connection_);
    return *connection_;
}

}  // namespace relais::smtpd
