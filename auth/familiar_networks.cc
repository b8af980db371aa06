#include "auth/familiar_networks.h"

#include <fcntl.h>
#include <sodium.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "base/error.h"

namespace relais::auth {
namespace {

constexpr std::string_view mark = "relais-networks1";
constexpr std::size_t head_size = 512;
constexpr std::uint32_t lifetime_minutes = 30 * 24 * 60;
// What is younger is not written again.
constexpr std::uint32_t renewal_minutes = 60;
// Clocks are set back; what is from further ahead is damaged.
constexpr std::uint32_t future_minutes = 24 * 60;

std::uint32_t minute_of(std::int64_t now) {
    return static_cast<std::uint32_t>(now / 60);
}

// In minutes; what is over, damaged or free has the greatest.
std::uint32_t age_of(std::uint32_t minute, std::uint32_t now) {
    constexpr std::uint32_t over = 0xffffffff;
    if (minute == 0 || minute > now + future_minutes) return over;
    const std::uint32_t age = minute > now ? 0 : now - minute;
    return age < lifetime_minutes ? age : over;
}

bool is_live(std::uint32_t minute, std::uint32_t now) {
    return age_of(minute, now) < lifetime_minutes;
}

}  // namespace

FamiliarNetworks FamiliarNetworks::in_file(const std::string& path) {
    Fd file(::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!file) throw_errno("open", path);
    struct stat info {};
    if (::fstat(file.get(), &info) != 0) throw_errno("examine", path);
    if (!S_ISREG(info.st_mode) || info.st_nlink != 1 || info.st_uid != ::geteuid())
        throw_permanent("unable to use " + path +
                        ": it is no plain file of one name that belongs to this user");
    if ((info.st_mode & 077) != 0 && ::fchmod(file.get(), 0600) != 0) throw_errno("close to others", path);
    return FamiliarNetworks(std::move(file));
}

FamiliarNetworks FamiliarNetworks::in_memory() {
    Fd file(::memfd_create("networks", MFD_CLOEXEC));
    if (!file) throw_errno("make", "memory for the networks of logins");
    return FamiliarNetworks(std::move(file));
}

FamiliarNetworks::FamiliarNetworks(Fd file) : file_(std::move(file)) {
    if (::sodium_init() < 0) throw Error(Reaction::temporary, "unable to initialise libsodium");
    static_assert(sizeof(Slot) == 16 && sizeof secret_ == crypto_shorthash_KEYBYTES);
    std::array<char, mark.size() + sizeof secret_> head{};
    struct stat info {};
    const bool whole = ::fstat(file_.get(), &info) == 0 &&
                       static_cast<std::size_t>(info.st_size) == head_size + buckets * sizeof(Bucket) &&
                       ::pread(file_.get(), head.data(), head.size(), 0) == std::ssize(head) &&
                       std::string_view(head.data(), mark.size()) == mark;
    if (whole)
        std::memcpy(secret_.data(), head.data() + mark.size(), secret_.size());
    else
        begin_anew();
}

void FamiliarNetworks::begin_anew() {
    ::randombytes_buf(secret_.data(), secret_.size());
    std::string head(mark);
    head.append(reinterpret_cast<const char*>(secret_.data()), secret_.size());
    if (::ftruncate(file_.get(), 0) != 0 ||
        ::ftruncate(file_.get(), static_cast<off_t>(head_size + buckets * sizeof(Bucket))) != 0 ||
        ::pwrite(file_.get(), head.data(), head.size(), 0) != std::ssize(head))
        throw_errno("write", "the file of networks of logins");
}

FamiliarNetworks::Place FamiliarNetworks::place_of(std::string_view account, std::string_view network,
                                                   std::int64_t now) const {
    const auto hash = [&](std::string_view text) {
        std::uint64_t value = 0;
        ::crypto_shorthash(reinterpret_cast<unsigned char*>(&value),
                           reinterpret_cast<const unsigned char*>(text.data()), text.size(), secret_.data());
        return value;
    };
    const std::uint64_t of_account = hash(account);
    std::string both(account);
    both.append(1, '\0').append(network);
    return {{hash(both), static_cast<std::uint32_t>(of_account >> 32), minute_of(now)}, of_account % buckets};
}

bool FamiliarNetworks::read(std::size_t bucket, Bucket& slots) const {
    return ::pread(file_.get(), slots.data(), sizeof slots,
                   static_cast<off_t>(head_size + bucket * sizeof slots)) == sizeof slots;
}

bool FamiliarNetworks::knows(std::string_view account, std::string_view network, std::int64_t now) const {
    const auto [wanted, bucket] = place_of(account, network, now);
    Bucket slots;
    if (!read(bucket, slots)) return false;
    for (const Slot& slot : slots)
        if (slot.login == wanted.login && is_live(slot.minute, wanted.minute)) return true;
    return false;
}

// An account with its share of networks gives up one of its own, so that nobody pushes out other accounts' by
// logging in from everywhere.
std::size_t FamiliarNetworks::slot_to_give_up(const Bucket& slots, const Slot& added) {
    const auto younger = [&](const Slot& a, const Slot& b) {
        return age_of(a.minute, added.minute) < age_of(b.minute, added.minute);
    };
    const auto is_own = [&](const Slot& slot) {
        return slot.account == added.account && is_live(slot.minute, added.minute);
    };
    const bool own_share = std::count_if(slots.begin(), slots.end(), is_own) >= networks_of_account;
    const auto oldest = std::max_element(slots.begin(), slots.end(), [&](const Slot& a, const Slot& b) {
        return own_share && is_own(a) != is_own(b) ? is_own(b) : younger(a, b);
    });
    return static_cast<std::size_t>(oldest - slots.begin());
}

bool FamiliarNetworks::add(std::string_view account, std::string_view network, std::int64_t now) {
    const auto [added, bucket] = place_of(account, network, now);
    Bucket slots;
    if (!read(bucket, slots)) return false;
    const auto same = std::find_if(slots.begin(), slots.end(),
                                   [login = added.login](const Slot& slot) { return slot.login == login; });
    if (same != slots.end() && age_of(same->minute, added.minute) < renewal_minutes) return true;
    const std::size_t chosen =
        same != slots.end() ? static_cast<std::size_t>(same - slots.begin()) : slot_to_give_up(slots, added);
    return ::pwrite(file_.get(), &added, sizeof added,
                    static_cast<off_t>(head_size + bucket * sizeof slots + chosen * sizeof added)) ==
           sizeof added;
}

}  // namespace relais::auth
