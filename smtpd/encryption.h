// How a session comes to speak TLS: what it asks of the world, so that tests can do without keys.
#pragma once

#include <memory>

#include "keyd/server_tls.h"
#include "smtpd/channel.h"

namespace relais::smtpd {

class Encryption {
  public:
    virtual ~Encryption() = default;
    // There is a certificate, so STARTTLS makes sense.
    virtual bool offered() = 0;
    // Whatever can fail before the client is told to go on. Throws Error: the control files are wrong.
    virtual void prepare() = 0;
    // The handshake on the client's connection; afterwards the channel speaks TLS, and nothing that was read before is left in
    // it. Throws Error: the connection is of no use any more.
    virtual const tls::Connection& start(Channel& channel) = 0;
};

// With qmail-keyd's certificates, on descriptor 0.
class KeydEncryption : public Encryption {
  public:
    // Borrows tls. timeout: of a silent client; a handshake as a whole has a minute at most.
    KeydEncryption(keyd::ServerTls& tls, std::chrono::seconds timeout) : tls_(tls), timeout_(timeout) {}
    // Ends TLS properly, after the last reply.
    ~KeydEncryption() override;
    bool offered() override { return tls_.offered(); }
    void prepare() override { tls_.prepare(); }
    const tls::Connection& start(Channel& channel) override;

  private:
    keyd::ServerTls& tls_;
    std::chrono::seconds timeout_;
    std::unique_ptr<tls::Connection> connection_;
};

}  // namespace relais::smtpd
