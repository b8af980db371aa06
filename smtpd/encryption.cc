#include "smtpd/encryption.h"

#include <sys/stat.h>

#include <algorithm>

namespace relais::smtpd {
namespace {

bool is_socket(int fd) {
    struct stat status {};
    return ::fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode);
}

}  // namespace

KeydEncryption::KeydEncryption(keyd::ServerTls& tls, int connection, std::chrono::seconds timeout)
    : tls_(tls), connection_fd_(connection), is_socket_(is_socket(connection)), timeout_(timeout) {}

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
