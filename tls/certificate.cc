#include "tls/certificate.h"

#include <openssl/objects.h>
#include <openssl/x509v3.h>

#include "base/error.h"
#include "base/hexadecimal.h"

namespace relais::tls {
namespace {

using BioPtr = std::unique_ptr<BIO, Release<BIO_free_all>>;

std::string name_text(const X509_NAME* name) {
    const BioPtr memory(BIO_new(BIO_s_mem()));
    if (!memory || name == nullptr) return "";
    // Without UTF-8: what is not ASCII is escaped, so that no log line is anything else.
    constexpr unsigned long form = XN_FLAG_RFC2253;
    if (X509_NAME_print_ex(memory.get(), name, 0, form) < 0) return "";
    char* data = nullptr;
    const long size = BIO_get_mem_data(memory.get(), &data);
    return {data, static_cast<std::size_t>(size)};
}

std::string hash(X509* certificate, const EVP_MD* function) {
    std::string result(EVP_MAX_MD_SIZE, '\0');
    unsigned size = 0;
    if (X509_digest(certificate, function, reinterpret_cast<unsigned char*>(result.data()), &size) != 1)
        throw Error(Reaction::temporary, take_errors("unable to hash a certificate"));
    result.resize(size);
    return result;
}

}  // namespace

std::string subject(X509* certificate) {
    return name_text(X509_get_subject_name(certificate));
}

std::vector<std::string> mail_addresses(X509* certificate) {
    std::vector<std::string> result;
    STACK_OF(OPENSSL_STRING)* const found = X509_get1_email(certificate);
    for (int i = 0; i < sk_OPENSSL_STRING_num(found); ++i)
        result.emplace_back(sk_OPENSSL_STRING_value(found, i));
    X509_email_free(found);
    return result;
}

std::string issuer(X509* certificate) {
    return name_text(X509_get_issuer_name(certificate));
}

std::string fingerprint(X509* certificate) {
    return hexadecimal(hash(certificate, EVP_sha256()));
}

std::string public_key_hash(X509* certificate) {
    unsigned char* der = nullptr;
    const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
    if (size <= 0) throw Error(Reaction::temporary, take_errors("unable to encode a public key"));
    std::string result(32, '\0');
    const bool done =
        EVP_Digest(der, static_cast<std::size_t>(size), reinterpret_cast<unsigned char*>(result.data()),
                   nullptr, EVP_sha256(), nullptr) == 1;
    OPENSSL_free(der);
    if (!done) throw Error(Reaction::temporary, take_errors("unable to hash a public key"));
    return result;
}

std::string end_point_binding(X509* certificate) {
    int digest = NID_undef;
    if (X509_get_signature_info(certificate, &digest, nullptr, nullptr, nullptr) != 1 || digest == NID_undef)
        return "";
    if (digest == NID_md5 || digest == NID_sha1 || digest == NID_md5_sha1) digest = NID_sha256;
    const EVP_MD* function = EVP_get_digestbynid(digest);
    return function == nullptr ? "" : hash(certificate, function);
}

}  // namespace relais::tls
