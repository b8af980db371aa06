// DMARC (RFC 9989): is the domain in From authenticated, and what does its owner want done if not?
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "authres/dkim.h"
#include "authres/dmarc_record.h"
#include "authres/dns.h"
#include "authres/message.h"
#include "authres/spf.h"
#include "mail/address_list.h"

namespace relais::authres {

enum class DmarcResult { none, pass, fail, permerror, temperror };
std::string_view to_text(DmarcResult result);

struct DmarcOutcome {
    DmarcResult result = DmarcResult::none;
    std::string reason;         // one printable line
    std::string from_domain;    // in lower case
    std::string policy_domain;  // where the record was found; empty without one
    std::string organizational_domain;
    DmarcPolicy published = DmarcPolicy::none;  // p=, sp= or np=, what applies to From's domain
    DmarcPolicy effective = DmarcPolicy::none;  // one step less with t=y
    bool testing = false;
    std::optional<DmarcRecord> record{};
    bool dkim_aligned = false, spf_aligned = false;  // which of them passes with a domain of From's
};

// How far is looked: to the first aligned pass, which decides, or further, for reports that say what the
// other one is.
enum class DmarcExtent { verdict, report };

// The addresses of From; nothing if there is none, more than one, or one that cannot be read. Pure.
std::optional<mail::AddressList> from_addresses(const MessageHeader& header);

// The domains of these addresses, each once, as ascii_domain makes them; none if one of them has no domain.
std::vector<std::string> from_domains(const MessageHeader& header);

// The one DMARC record of an answer; several count as none. Pure.
std::optional<DmarcRecord> only_record(const net::DnsAnswer& answer);

// Whose results count. A From of several domains passes when each does; otherwise the verdict is that of the
// first that does not. The number of questions is limited: 8 for From's domain and 3 for its existence, 8 for
// each authenticated domain that could be aligned. Never throws.
DmarcOutcome check_dmarc(Dns& dns, const MessageHeader& header, const SpfOutcome& spf, const DkimReport& dkim,
                         Deadline deadline, DmarcExtent extent = DmarcExtent::verdict);

// Tree walks that were made, each once.
class DmarcWalks {
  public:
    DmarcWalks(Dns& dns, Deadline deadline) : dns_(dns), deadline_(deadline) {}

    struct Found {
        std::string domain;
        DmarcRecord record;
    };
    struct Walk {
        std::vector<Found> found;  // the longest name first
        std::string organizational_domain;
        bool failed = false;        // DNS did not answer before the end of the walk
        bool failed_first = false;  // not even for the domain itself
    };
    const Walk& walk(const std::string& domain);
    Dns& dns() { return dns_; }
    Deadline deadline() const { return deadline_; }

  private:
    Dns& dns_;
    Deadline deadline_;
    std::map<std::string, Walk> walks_;
};

}  // namespace relais::authres
