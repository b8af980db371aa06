// One entry of the open-smtp store: who last logged in from an address, over what, and when. Pure, but for
// Moment::now.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "control/setting.h"

namespace relais::opensmtp {

inline constexpr std::size_t entry_limit = 460;   // octets of an encoded entry
inline constexpr std::size_t user_limit = 320;    // of a login name
inline constexpr std::size_t service_limit = 32;  // of pop3, imap, manual, import ...
inline constexpr std::int64_t default_lifetime = control::default_of<"opensmtplifetime">().count();

// A moment on the two clocks that matter: the wall clock, which may be set, and the time since boot
// (CLOCK_BOOTTIME, which may not, and counts while the machine sleeps).
struct Moment {
    std::int64_t wall = 0;  // seconds since 1970
    std::int64_t boot = 0;  // seconds since boot; negative for a login before it
    std::string boot_id;    // the kernel's random name for this boot

    // Throws Error when the boot id cannot be read (/proc/sys/kernel/random/boot_id); it is read once.
    static Moment now();
    bool operator==(const Moment&) const = default;
};

struct Entry {
    std::string address;  // canonical, or a network "2001:db8:0:1::/64"
    std::string user;     // "" if nobody knows (imported)
    std::string service;
    Moment login;

    bool operator==(const Entry&) const = default;
};

// Seconds since the login. In the same boot by the time since boot, whatever was done to the wall clock.
// After another boot by the wall clock, and not less than this boot is old. Nothing for an entry from the
// future: it proves nothing.
std::optional<std::int64_t> age(const Entry& entry, const Moment& now);

// When the login was by the wall clock of now, unix seconds. That clock and the one since boot tick at
// different moments: a second between them is none.
std::int64_t wall_of_login(const Entry& entry, const Moment& now);
// True if it is younger than that many seconds.
bool live(const Entry& entry, std::int64_t lifetime, const Moment& now);

// The entry in its file (entry_file.h), fields ended by NUL: "1" user service wall boot-id boot. The address
// is the file's name. The decoder takes nothing that is not exactly that.
std::string encode(const Entry& entry);
std::optional<Entry> decode_entry(std::string address, std::string_view content);

// True for a login name or service that an entry can hold: no control characters, not too long.
bool is_user(std::string_view text);
bool is_service(std::string_view text);

// "3 h 12 min", "45 s", "2 d 4 h": for people.
std::string span_text(std::int64_t seconds);
// "3 h 12 min ago by anna over pop3", or "at a time that the clock has not reached, by anna over pop3".
std::string login_text(const Entry& entry, const Moment& now);

}  // namespace relais::opensmtp
