// Accounts: what they are called, and a line of users/passwd for each.
//
//   account:hash:secret:uid:gid:home:shell:maildir:verifier
//
// account is user@domain in lower case. hash is an Argon2id string. secret is the password itself where it is
// stored for APOP and CRAM-MD5, else empty. verifier is what SCRAM-SHA-256 needs (sasl/scram.h), or empty or
// missing. In every field '%', ':' and what is not printable ASCII are written %XX. Empty lines and those
// that begin with '#' do not count. users/passwd.cdb has the account as key and the other eight fields,
// unquoted with NULs between them, as data. The record with the empty key says what there is: 'p' an account,
// 'c' a stored secret, 's' a verifier; that with the key scram_seed_key holds the secret that salts of users
// without a verifier are made of.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>

#include "auth/login_name.h"
#include "sasl/secret.h"

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
    std::string verifier{};

    // Nothing secret stays behind in qmail-authd's memory.
    ~Account() {
        for (std::string* text : {&hash, &secret, &verifier}) wipe(*text);
    }
    bool operator==(const Account&) const = default;
};

// What fits through descriptor 3 of a password program beside a name and a timestamp (512 octets in all).
inline constexpr std::size_t password_limit = 255;

inline constexpr std::string_view scram_seed_key = "scram-seed";
inline constexpr std::size_t scram_seed_size = 32;
// What a user without a verifier seems to have: 16 octets, always the same for a name and seed.
std::string scram_salt_of_nobody(std::string_view seed, std::string_view name);

// Reads a line, without its line end. Throws a permanent Error that says what is wrong with it; it never
// repeats a hash or a secret. uid 0 is wrong: nobody logs in as root.
Account parse_passwd_line(std::string_view line);
std::string format_passwd_line(const Account& account);

// The data of a record of users/passwd.cdb, and back; nothing if it is wrong in any way.
std::string encode_record(const Account& account);
std::optional<Account> decode_record(std::string_view name, std::string_view data);

}  // namespace relais::auth
