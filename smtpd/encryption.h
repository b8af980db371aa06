// How a session comes to speak TLS: what it asks of the world, so that tests can do without keys.
#pragma once

#include <memory>

#include "keyd/server_tls.h"
#include "smtpd/channel.h"

namespace relais::smtpd {

// A handshake as a whole, if the client's timeout is not shorter.
inline constexpr std::chrono::seconds handshake_limit{60};

class Encryption {
  public:
    virtual ~Encryption() = default;
    // There is a certificate, so STARTTLS makes sense.
    virtual bool offered() = 0;
    // Whatever can fail before the client is told to go on. Throws Error: the control files are wrong.
    virtual void prepare() = 0;
    // The handshake on the client's connection; afterwards the channel speaks TLS, and nothing that was read
    // before is left in it. Throws Error: the connection is of no use any more.
    virtual const tls::Connection& start(Channel& channel) = 0;
};

// With qmail-keyd's certificates.
class KeydEncryption : public Encryption {
  public:
    // Borrows both. timeout: of a silent client.
    KeydEncryption(keyd::ServerTls& tls, int connection, std::chrono::seconds timeout);
    // Ends TLS properly, after the last reply. What its buffers held is overwritten.
    ~KeydEncryption() override;
    // Not to a client behind pipes: with one descriptor for each way there is nothing to shake hands on.
    bool offered() override { return is_socket_ && tls_.offered(); }
    void prepare() override { tls_.prepare(); }
    const tls::Connection& start(Channel& channel) override;

  private:
    keyd::ServerTls& tls_;
    int connection_fd_;
    bool is_socket_;
    std::chrono::seconds timeout_;
    std::unique_ptr<tls::Connection> connection_;
};

}  // namespace relais::smtpd
