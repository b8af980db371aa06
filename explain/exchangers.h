// The servers of a domain as DNS and smtproutes name them: who they are, and what is wrong with them.
#pragma once

#include "explain/dns.h"
#include "explain/remote_route.h"
#include "explain/route.h"
#include "remote/servers.h"

namespace relais::explain {

bool unanswered(net::DnsStatus status);
bool has_kind(const remote::SearchTrace::Host& host, remote::AddressKind kind);

// Asks as qmail-remote does, to the end, and keeps in end what it saw.
class Search {
  public:
    Search(const Surroundings& around, const std::string& domain, Dns& dns, RemoteEnd& end);
    bool is_me() const { return search_.is_me(); }
    bool found() const { return !end_.servers.empty(); }
    remote::Dane dane(const remote::Server& server) { return search_.dane(server); }
    bool chosen_securely() const { return search_.chosen_securely(); }
    const remote::NoServerFound& none() const { return search_.none(); }
    remote::Verdict refusal() const { return search_.refusal(); }

  private:
    RemoteEnd& end_;
    remote::LocalAddresses ours_;
    remote::ServerSearch search_;
};

void show_hosts(const RemoteEnd& end, RouteReport& report);
void check_hosts(const RemoteEnd& end, bool may_be_private, RouteReport& report);

}  // namespace relais::explain
