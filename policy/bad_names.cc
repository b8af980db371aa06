#include "policy/bad_names.h"

#include "control/setting.h"

namespace relais::policy {

BadNames::BadNames(const control::Home& home)
    : senders_(home, [&home] { return NameList(control::read<"badmailfrom">(home)); }),
      strangers_(home, [&home] { return NameList(control::read<"badmailfromnorelay">(home)); }),
      helo_names_(home, [&home] { return NameList(control::read<"badhelo">(home)); }),
      recipients_(home, [&home] { return NameList(control::read<"badrcptto">(home)); }) {}

void BadNames::refresh() {
    senders_.get();
    strangers_.get();
    helo_names_.get();
    recipients_.get();
}

std::uint64_t BadNames::version() const {
    return senders_.version() + strangers_.version() + helo_names_.version() + recipients_.version();
}

}  // namespace relais::policy
