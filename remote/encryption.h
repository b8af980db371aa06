// TLS with a server by a policy (remote/tls_policy.h), and its sessions, which all processes of a pool
// resume.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "base/deadline.h"
#include "control/home.h"
#include "remote/shared_memory.h"
#include "remote/tls_policy.h"
#include "tls/client_context.h"
#include "tls/connection.h"

namespace relais::remote {

struct Secured {
    std::unique_ptr<tls::Connection> connection;
    std::string session_key;  // empty: the session is not to be resumed
    std::string description;  // for the report: "TLSv1.3, TLS_AES_256_GCM_SHA384, certificate verified"
};

class Encryption {
  public:
    // Borrows memory.
    Encryption(const control::Home& home, SharedMemory& memory) : home_(home), memory_(memory) {}

    // Speaks TLS on fd, a connected socket, and holds the server to the policy. name: the server's, for SNI
    // and its certificate; ip: its address. Throws Error: what() says what is wrong in words that continue
    // "Connected to IP but".
    Secured secure(int fd, const TlsPolicy& policy, const std::string& name, const std::string& ip,
                   Deadline deadline);
    // Keeps the session for the next connection. After something was read: TLS 1.3 has no ticket before.
    void remember(const tls::Connection& connection, const std::string& session_key);

  private:
    struct Context {
        std::unique_ptr<tls::ClientContext> context;
        Clock::time_point made_at;
    };
    const tls::ClientContext& context(const TlsPolicy& policy);

    control::Home home_;
    SharedMemory& memory_;
    std::map<std::pair<bool, std::string>, Context> contexts_;
};

}  // namespace relais::remote
