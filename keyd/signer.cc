#include "keyd/signer.h"

#include <openssl/rsa.h>

#include "base/error.h"

namespace relais::keyd {
namespace {

const char* name_of(Digest digest) {
    switch (digest) {
        case Digest::none:
            return nullptr;
        case Digest::sha256:
            return "SHA256";
        case Digest::sha384:
            return "SHA384";
        case Digest::sha512:
            return "SHA512";
        case Digest::sha1:
            return "SHA1";
        case Digest::md5_sha1:
            return "MD5-SHA1";
    }
    return nullptr;
}

bool fits(EVP_PKEY* key, const Signing& signing) {
    if (EVP_PKEY_is_a(key, "ED25519") == 1)
        return signing.digest == Digest::none && signing.padding == Padding::none;
    if (EVP_PKEY_is_a(key, "RSA") == 1)
        return signing.digest != Digest::none && signing.padding != Padding::none;
    return signing.digest != Digest::none && signing.padding == Padding::none;
}

}  // namespace

std::optional<std::string> sign(EVP_PKEY* key, const Signing& signing) {
    if (!fits(key, signing)) return std::nullopt;
    const tls::DigestPtr context(EVP_MD_CTX_new());
    EVP_PKEY_CTX* parameters = nullptr;
    bool ok = context && EVP_DigestSignInit_ex(context.get(), &parameters, name_of(signing.digest), nullptr,
                                               nullptr, key, nullptr) == 1;
    if (ok && signing.padding == Padding::pss)
        ok = EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PSS_PADDING) == 1 &&
             EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters, RSA_PSS_SALTLEN_DIGEST) == 1;
    std::string signature(static_cast<std::size_t>(EVP_PKEY_get_size(key)), '\0');
    std::size_t size = signature.size();
    if (!ok ||
        EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size,
                       reinterpret_cast<const unsigned char*>(signing.text.data()), signing.text.size()) != 1)
        throw Error(Reaction::temporary, "unable to sign: " + tls::take_errors("out of memory"));
    signature.resize(size);
    return signature;
}

}  // namespace relais::keyd
