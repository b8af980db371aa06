// Whom the checks of this folder ask about DNS. Questions that do not depend on one another are asked
// together.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/deadline.h"
#include "net/resolver_protocol.h"

namespace relais::authres {

class Dns {
  public:
    Dns() = default;
    Dns(const Dns&) = delete;
    Dns& operator=(const Dns&) = delete;
    virtual ~Dns() = default;

    // An answer to each question, in their order; DnsStatus::failed for what was not answered by then. Never
    // throws.
    virtual std::vector<net::DnsAnswer> ask_all(std::span<const net::DnsQuestion> questions,
                                                Deadline deadline) = 0;
    // The same for each group; one that is not answered keeps none of the others waiting. Never throws.
    virtual std::vector<std::vector<net::DnsAnswer>> ask_apart(
        std::span<const std::vector<net::DnsQuestion>> groups, Deadline deadline);
    net::DnsAnswer ask(net::RecordType type, std::string_view name, Deadline deadline);
};

// qmail-resolver.
class ResolverDns final : public Dns {
  public:
    // Borrows the resolver.
    explicit ResolverDns(net::Resolver& resolver) : resolver_(resolver) {}
    std::vector<net::DnsAnswer> ask_all(std::span<const net::DnsQuestion> questions,
                                        Deadline deadline) override;
    std::vector<std::vector<net::DnsAnswer>> ask_apart(std::span<const std::vector<net::DnsQuestion>> groups,
                                                       Deadline deadline) override;

  private:
    net::Resolver& resolver_;
};

// True if the name may be asked for: labels of 1 to 63 octets, at most 253 octets in all; a final dot does
// not count. RFC 7208's macros make names of any octets.
bool is_domain_name(std::string_view name);
// The same without a final dot.
std::string_view without_final_dot(std::string_view name);
// True if name is domain or below it, without regard to case.
bool is_at_or_below(std::string_view name, std::string_view domain);

}  // namespace relais::authres
