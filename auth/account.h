// Accounts: what they are called, and a line of users/passwd for each.
//
//   account:hash:secret:uid:gid:home:shell:maildir
//
// account is user@domain in lower case. hash is an Argon2id string. secret is the password itself where it is stored for
// APOP and CRAM-MD5, else empty. In every field '%', ':' and what is not printable ASCII are written %XX. Empty lines and
// those that begin with '#' do not count. users/passwd.cdb has the account as key and the other seven fields, unquoted
// with NULs between them, as data; a record with the empty key says that some account has a stored secret.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>

namespace relais::auth {

struct Account {
    std::string name;
    std::string hash;
    std::string secret;
    uid_t uid = 0;
    gid_t gid = 0;
    std::string home;  // absolute
    std::string shell;
    std::string maildir;  // empty: as the service has it

    bool operator==(const Account&) const = default;
};

inline constexpr std::size_t account_name_limit = 255;
// What fits through descriptor 3 of a password program beside a name and a timestamp (512 octets in all).
inline constexpr std::size_t password_limit = 255;

// The one spelling of a login name: "Anna", "anna%example.org" and "anna@Example.org" are "anna@example.org" when that is the
// default domain. Nothing for what cannot name an account: empty, too long, or with blanks, controls, octets outside ASCII,
// '/' or ':' in it.
std::optional<std::string> canonical_name(std::string_view login, std::string_view default_domain);

// Reads a line, without its line end. Throws a permanent Error that says what is wrong with it; it never repeats a hash or
// a secret. uid 0 is wrong: nobody logs in as root.
Account parse_passwd_line(std::string_view line);
std::string format_passwd_line(const Account& account);

// The data of a record of users/passwd.cdb, and back; nothing if it is wrong in any way.
std::string encode_record(const Account& account);
std::optional<Account> decode_record(std::string_view name, std::string_view data);

}  // namespace relais::auth
