// Which servers take a domain's mail (RFC 5321, 5.1): by smtproutes, as an address literal, by MX, or by
// address.
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "control/control_file.h"
#include "net/resolver_protocol.h"
#include "remote/addresses.h"
#include "remote/dane.h"
#include "remote/no_server.h"
#include "remote/report.h"
#include "remote/routes.h"
#include "remote/settings.h"
#include "remote/source.h"

namespace relais::remote {

struct Server {
    std::string name;
    std::vector<std::string> addresses;  // canonical, of both families, shuffled within each
    std::string alias_of{};              // the name is an alias (CNAME) of that
    bool unvalidated = false;            // DNSSEC does not vouch for all of its addresses
};

// What decides whether an address found by DNS may be used.
struct AddressPolicy {
    bool allow_private = false;  // rcpthosts or smtproutes names the domain
    bool allow_all = false;      // control/privatemx names the domain: loopback and our own addresses too
    std::function<bool(const std::string&)> is_local;  // an address of one of our interfaces
    Families families{};                               // of addresses that we use at all, and which first
};

// What a search saw, also what it passed over: for the tools that explain a route.
struct SearchTrace {
    struct Address {
        std::string text;
        AddressKind kind;
        bool used;  // false: no mail is sent there
    };
    struct Host {
        std::uint16_t preference = 0;
        std::string name;
        bool asked = false;                                    // else an address or beyond the limit
        net::DnsStatus status = net::DnsStatus::no_such_name;  // of its addresses
        std::string alias_of{};                                // it is a CNAME for that
        std::vector<Address> addresses{};
    };
    bool asked_mx = false;
    net::DnsStatus mx_status = net::DnsStatus::failed;
    std::string mx_alias;       // the domain is a CNAME for that
    bool no_exchanger = false;  // without MX: the domain's own addresses
    std::size_t dropped = 0;    // MX records beyond the limit
    std::vector<Host> hosts;    // best first
};

// The policy for a domain, by control files and this host's interfaces (borrowed).
AddressPolicy address_policy(const SettingsFiles& files, const Settings& settings, LocalAddresses& ours,
                             std::string_view domain, const Route& route);

// Finds one server after the other, best first; equal preferences are shuffled. Addresses are looked up only
// when their turn comes. An MX of the same or a worse preference than one that is this host is never
// returned: that would be a loop.
class ServerSearch {
  public:
    ServerSearch(net::Resolver& resolver, std::string domain, Route route, AddressPolicy policy,
                 Seconds timeout, SearchTrace* trace = nullptr);

    // The next one with at least one usable address, or nothing.
    std::optional<Server> next();
    // Why there was none, or no further one; meaningful when next() has never returned a server.
    const NoServerFound& none() const { return none_; }
    Verdict refusal() const { return verdict_of(none_); }
    // Names the best servers, equal for domains that share them. Meaningful after the first next().
    const std::string& group() const { return group_; }
    // True if DNS, or smtproutes, says that this host itself is the best server.
    bool is_me() const { return is_me_; }
    // Somebody vouches for the servers' names: DNSSEC, or the administrator, who names the host.
    bool chosen_securely() const { return chosen_securely_; }
    // Asks for the TLSA records of one of the servers found.
    Dane dane(const Server& server);

  private:
    struct Candidate {
        std::uint16_t preference;
        std::string name;
    };
    net::DnsAnswer ask(net::RecordType type, const std::string& name);
    void begin();
    void begin_by_mx();
    void set_candidates(const std::vector<net::DnsRecord>& records);
    bool resolve_next_preference();
    Server resolve(const std::string& name);
    bool is_of_used_family(const std::string& address) const;
    bool has_other_family(const std::string& name);
    void add_addresses(net::RecordType type, const std::string& name, Server& server);
    bool keep_usable(Server& server);
    SearchTrace::Host* traced(const std::string& name);
    void trace_the_rest(std::uint16_t preference);

    net::Resolver& resolver_;
    std::string domain_;
    Route route_;
    AddressPolicy policy_;
    Seconds timeout_;
    Clock::duration patience_;  // left for DNS: many slow names must not hold a process for hours
    SearchTrace* trace_;
    bool begun_ = false;
    bool is_me_ = false;
    bool chosen_securely_ = false;  // DNSSEC vouches for the MX records, or an administrator names the host
    std::string domain_alias_;      // the domain is a CNAME for that
    bool any_address_ = false;
    std::string private_address_;   // one that was not used
    std::string loopback_address_;  // likewise
    std::deque<Candidate> candidates_;
    std::deque<Server> ready_;
    NoServerFound none_{};
    std::string group_;
};

}  // namespace relais::remote
