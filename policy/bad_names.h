// The lists of control/ that refuse by a name: badmailfrom, badmailfromnorelay, badhelo, badrcptto.
#pragma once

#include <cstdint>

#include "control/home.h"
#include "control/watched.h"
#include "policy/name_list.h"

namespace relais::policy {

class BadNames {
  public:
    // Borrows home.
    explicit BadNames(const control::Home& home);

    // As of the last refresh.
    const NameList& senders() { return senders_.last(); }                 // badmailfrom
    const NameList& senders_of_strangers() { return strangers_.last(); }  // badmailfromnorelay
    const NameList& helo_names() { return helo_names_.last(); }           // badhelo
    const NameList& recipients() { return recipients_.last(); }           // badrcptto

    // Reads what has changed. Throws Error.
    void refresh();
    std::uint64_t version() const;

  private:
    control::Watched<NameList> senders_;
    control::Watched<NameList> strangers_;
    control::Watched<NameList> helo_names_;
    control::Watched<NameList> recipients_;
};

}  // namespace relais::policy
