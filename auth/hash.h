// Password hashes and challenges.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace relais::auth {

// Argon2id, 3 passes over 8 MiB: about 8 ms of one core of a common server, for it is paid at every login
// that the cache does not know. A hash carries its parameters, so that these can change and old hashes stay
// good.
inline constexpr unsigned long long hash_passes = 3;
inline constexpr std::size_t hash_memory = std::size_t{8} << 20;

// A hash with fresh salt, "$argon2id$v=19$m=8192,t=3,p=1$...". Throws Error when there is no memory.
std::string hash_password(std::string_view password);
// False also for a hash that cannot be read.
bool password_fits(std::string_view password, std::string_view hash);

// True for a digest in 32 hexadecimal digits.
bool is_digest(std::string_view text);
// MD5(challenge secret) is what APOP sends (RFC 1939, 7), HMAC-MD5(secret, challenge) what CRAM-MD5 sends
// (RFC 2195); both in lower-case hexadecimal. The digest of a client is compared without telling by the time
// how far it was right.
bool apop_fits(std::string_view digest, std::string_view challenge, std::string_view secret);
bool cram_fits(std::string_view digest, std::string_view challenge, std::string_view secret);

}  // namespace relais::auth
