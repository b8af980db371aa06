// From which networks accounts have logged in within the last 30 days. Those are not slowed by what strangers
// elsewhere do to the account. It is kept in a file of one size, users/networks, so that it outlives the
// process:
//
//   head, 512 octets = "relais-networks1" secret (16 octets) zeros
//   8192 buckets of 32 slots of 16 octets each = login (8 octets) account (4 octets) time (4 octets)
//
// login is SipHash-2-4 of account NUL network under the secret, account the upper half of that of the account
// alone, whose lower half chooses the bucket; time is minutes since 1970, 0 in a slot that is free. Octets as
// the machine has them. A slot that is damaged matches nothing.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/fd.h"

namespace relais::auth {

class FamiliarNetworks {
  public:
    // As many networks of one account at most; the oldest goes first.
    static constexpr unsigned networks_of_account = 16;

    // Opens the file, or makes it where there is none of this form. Needs no more rights on files from then
    // on. Throws Error.
    static FamiliarNetworks in_file(const std::string& path);
    // Forgets all with this process. Throws Error.
    static FamiliarNetworks in_memory();

    // now: seconds since 1970.
    bool knows(std::string_view account, std::string_view network, std::int64_t now) const;
    // False if it could not be written; then it is as if it had not been.
    bool add(std::string_view account, std::string_view network, std::int64_t now);

  private:
    struct Slot {
        std::uint64_t login = 0;
        std::uint32_t account = 0;
        std::uint32_t minute = 0;
    };
    static constexpr std::size_t slots_of_bucket = 32;
    static constexpr std::size_t buckets = 8192;
    using Bucket = std::array<Slot, slots_of_bucket>;
    struct Place {
        Slot slot;
        std::size_t bucket;
    };

    explicit FamiliarNetworks(Fd file);
    void begin_anew();
    Place place_of(std::string_view account, std::string_view network, std::int64_t now) const;
    bool read(std::size_t bucket, Bucket& slots) const;
    static std::size_t slot_to_give_up(const Bucket& slots, const Slot& added);

    Fd file_;
    std::array<unsigned char, 16> secret_{};
};

}  // namespace relais::auth
