// Who never gets a delivery, whatever the look-up says of him. qmail-lspawn asks before it becomes anybody,
// and route-explain says the same.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/cdb.h"
#include "control/control_file.h"
#include "control/home.h"
#include "control/owners.h"
#include "control/watched.h"
#include "local/user.h"

namespace relais::local {

// control/minimumuid: a user that users/assign does not name has at least this uid. 1 if the file is missing.
// Throws Error.
std::uint64_t minimum_uid(const control::Home& instance);

// What the look-up has said of a local part.
struct FoundIds {
    uid_t uid = 0;
    gid_t gid = 0;
    bool assigned = false;  // by users/cdb
};

// Why these ids never get a delivery: root's, the mail system's own but alias', and uids below minimum that
// are not assigned. The text says what to do. Nothing if they may.
std::optional<std::string> refusal_of_ids(const control::Owners& owners, const FoundIds& found,
                                          std::uint64_t minimum);

// The same for one instance, with its files as they are now, and with users/cdb read again: the look-up is
// not believed that users/cdb names ids which it does not name, nor that it is silent where it is not. For a
// long-lived process.
class DeliveryRefusals {
  public:
    explicit DeliveryRefusals(const control::Home& home);

    // The text; nothing if local may be delivered with these ids. Throws a temporary Error when that cannot
    // be told now.
    std::optional<std::string> of(std::string_view local, const FoundIds& found);
    // Whether users/cdb says of local what the look-up has said. Throws as of does.
    bool agrees(std::string_view local, const FoundIds& found);

  private:
    control::Owners owners_;
    control::Cached<std::optional<CdbReader>> database_;
    control::Watched<std::uint64_t> minimum_;
};

}  // namespace relais::local
