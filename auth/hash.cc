#include "auth/hash.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sodium.h>

#include <array>
#include <cstring>

#include "base/error.h"
#include "base/text.h"

namespace relais::auth {
namespace {

constexpr std::size_t digest_size = 16;
using Digest = std::array<unsigned char, digest_size>;

void initialise() {
    if (::sodium_init() < 0) throw Error(Reaction::temporary, "unable to initialise libsodium");
}

const unsigned char* octets(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}

bool equals_hexadecimal(std::string_view digest, const Digest& expected) {
    std::array<char, 2 * digest_size + 1> text{};
    ::sodium_bin2hex(text.data(), text.size(), expected.data(), expected.size());
    const std::string given = lower(digest);
    return given.size() == 2 * digest_size &&
           ::sodium_memcmp(given.data(), text.data(), 2 * digest_size) == 0;
}

}  // namespace

std::string hash_password(std::string_view password) {
    initialise();
    std::array<char, crypto_pwhash_STRBYTES> hash{};
    if (::crypto_pwhash_str_alg(hash.data(), password.data(), password.size(), hash_passes, hash_memory,
                                crypto_pwhash_ALG_ARGON2ID13) != 0)
        throw_errno("get", "memory for a password hash", ENOMEM);
    return hash.data();
}

bool password_fits(std::string_view password, std::string_view hash) {
    initialise();
    std::array<char, crypto_pwhash_STRBYTES> text{};
    if (hash.size() >= text.size()) return false;
    std::memcpy(text.data(), hash.data(), hash.size());
    return ::crypto_pwhash_str_verify(text.data(), password.data(), password.size()) == 0;
}

bool is_digest(std::string_view text) {
    return text.size() == 2 * digest_size &&
           text.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
}

bool apop_fits(std::string_view digest, std::string_view challenge, std::string_view secret) {
    initialise();
    Digest expected{};
    EVP_MD_CTX* const context = ::EVP_MD_CTX_new();
    const bool done = context != nullptr && ::EVP_DigestInit_ex(context, ::EVP_md5(), nullptr) == 1 &&
                      ::EVP_DigestUpdate(context, challenge.data(), challenge.size()) == 1 &&
                      ::EVP_DigestUpdate(context, secret.data(), secret.size()) == 1 &&
                      ::EVP_DigestFinal_ex(context, expected.data(), nullptr) == 1;
    ::EVP_MD_CTX_free(context);
    return done && equals_hexadecimal(digest, expected);
}

bool cram_fits(std::string_view digest, std::string_view challenge, std::string_view secret) {
    initialise();
    Digest expected{};
    return ::HMAC(::EVP_md5(), secret.data(), static_cast<int>(secret.size()), octets(challenge),
                  challenge.size(), expected.data(), nullptr) != nullptr &&
           equals_hexadecimal(digest, expected);
}

}  // namespace relais::auth
