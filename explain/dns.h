// Whom the tools ask about DNS: the instance's qmail-resolver if it runs, else one of their own.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>

#include "control/home.h"
#include "net/resolver_protocol.h"

namespace relais::explain {

class Dns {
  public:
    // Connects to the instance's qmail-resolver, or starts one for this process alone, with the instance's
    // settings. Throws nothing: without either every question fails, and trouble() says why.
    explicit Dns(const control::Home& home);
    ~Dns();
    Dns(const Dns&) = delete;
    Dns& operator=(const Dns&) = delete;

    net::Resolver& resolver() { return *resolver_; }
    // Who answers: "qmail-resolver of this instance", "a qmail-resolver of its own".
    const std::string& source() const { return source_; }
    // Why nobody answers; empty if somebody does.
    std::string trouble();

  private:
    Fd start(const control::Home& home);

    std::unique_ptr<net::Resolver> resolver_;
    std::string source_;
    std::string trouble_;
    pid_t pid_ = -1;
};

}  // namespace relais::explain
