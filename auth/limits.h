// What failed logins cost, and whom. Four budgets are counted (Line): an account from one network; all that
// comes from a network; from an IPv6 /48; and an account from everywhere. From some failures on the logins of
// a budget are looked at one after the other, each after the late answer before it, so that many connections
// guess no faster than one; before that only so many together.
//
// So that nobody is locked out by a stranger, an account is slowed by the first budget alone where it has
// logged in within 30 days: neither by others behind the same address nor by what is tried on it from
// elsewhere. Front ends (control/authtrusted), which pass on everybody's logins, have no budget of their own.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "auth/failures.h"
#include "auth/familiar_networks.h"
#include "auth/lines.h"
#include "base/deadline.h"
#include "opensmtp/address.h"

namespace relais::auth {

// A login, as the budgets see it.
struct Asker {
    std::string account;    // in its one spelling; "" if it cannot be one
    std::string network;    // client_of its address
    std::string site;       // site_of its address
    bool trusted = false;   // by way of a front end
    bool familiar = false;  // this account has logged in from this network within 30 days
};

class LoginLimits {
  public:
    explicit LoginLimits(FamiliarNetworks familiar) : familiar_(std::move(familiar)) {}

    void set_trusted(opensmtp::NetworkSet trusted) { trusted_ = std::move(trusted); }

    // now: seconds since 1970, as in what follows with an integer.
    Asker asker(std::string account, std::string_view address, std::int64_t now) const;
    // What it has to pass before it is looked at.
    std::vector<Line> lines_of(const Asker& asker) const;
    // How many logins of a line may be looked at together.
    unsigned at_once(const Line& line, Clock::time_point now) const;
    // Whether a login that was right a moment ago passes without all that. It must have been right from this
    // network; and not where somebody guesses at the same account from the same network, for whoever is let
    // through at once is told that he was right.
    bool remembers(const Asker& asker, Clock::time_point now) const;

    struct Failure {
        unsigned here = 0;     // of this account from this network, without repetitions
        unsigned network = 0;  // 0: a front end
        unsigned site = 0;
        unsigned account = 0;
        std::chrono::seconds delay{};  // of the answer
    };
    // secret: what was shown; a client that shows the same wrong one again and again has guessed once.
    Failure fail(const Asker& asker, std::string_view secret, Clock::time_point now);
    // It was not looked at, for too many wait already. Counts for the account. Returns how many that were of
    // this network.
    unsigned turn_away(const Asker& asker, Clock::time_point now);
    // False if that cannot be kept.
    bool succeed(const Asker& asker, std::int64_t now);

  private:
    const Failures& counted(Budget budget) const { return failures_[static_cast<std::size_t>(budget)]; }
    Failures& counted(Budget budget) { return failures_[static_cast<std::size_t>(budget)]; }

    FamiliarNetworks familiar_;
    opensmtp::NetworkSet trusted_;
    std::array<Failures, budget_count> failures_;
    Failures turned_away_;  // by network
};

}  // namespace relais::auth
