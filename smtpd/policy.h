// Whose mail may pass: the sender and recipient rules of control/ and of the client's address. The one place
// that decides about relaying; everything that explains such a decision asks here.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>

#include "base/cdb.h"
#include "control/control_file.h"
#include "control/home.h"
#include "smtpd/client.h"

namespace relais::smtpd {

enum class RelayReason {
    client_rule,     // RELAYCLIENT is set for this address
    no_domain,       // <postmaster> and the like: a local address
    rcpthosts,       // listed in control/rcpthosts
    morercpthosts,   // listed in control/morercpthosts.cdb
    foreign_domain,  // none of these: refused
};

struct RelayDecision {
    bool accepted = false;
    RelayReason reason = RelayReason::foreign_domain;
    std::string detail;  // the entry that matched, or the value of RELAYCLIENT
};

class Policy {
  public:
    explicit Policy(control::Home home);
    Policy(const Policy&) = delete;
    Policy& operator=(const Policy&) = delete;

    // Reads what is not yet read and what has changed since. The listener calls it for each connection, so
    // that its children parse nothing; without it each file is read when it is first asked for. Throws Error.
    void refresh();

    // True if control/badmailfrom lists the sender or its @domain.
    bool is_bad_sender(std::string_view sender);
    // <postmaster> without a domain, or postmaster at a domain of ours: never refused because of the sender.
    bool is_our_postmaster(std::string_view recipient);
    // The recipient with the literal of this host's address ([192.0.2.1]) replaced by control/localiphost.
    std::string with_local_name(std::string_view recipient, const Client& client);
    // May this client send to this recipient? Throws Error when a file cannot be read.
    RelayDecision decide(const Client& client, std::string_view recipient);

  private:
    using Names = std::unordered_set<std::string>;
    RelayDecision decide_by_domain(std::string_view recipient);
    std::optional<std::string> match_more(std::string_view domain);

    control::Home home_;
    control::Cached<control::DomainSet> rcpthosts_;
    control::Cached<Names> badmailfrom_;
    control::Cached<std::string> localiphost_;
    std::optional<CdbReader> more_;
    bool more_opened_ = false;
};

}  // namespace relais::smtpd
