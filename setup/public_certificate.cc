#include "setup/public_certificate.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/sha.h>

#include "base/hexadecimal.h"
#include "tls/certificate.h"

namespace relais::setup {
namespace {

using BioPtr = std::unique_ptr<BIO, tls::Release<BIO_free_all>>;

int no_passphrase(char*, int, int, void*) {
    return -1;
}

// The certificate, or its public key, in DER.
std::string octets_of(X509* certificate, bool key) {
    unsigned char* der = nullptr;
    const int size =
        key ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der) : i2d_X509(certificate, &der);
    ERR_clear_error();
    if (size <= 0) return "";
    std::string octets(reinterpret_cast<char*>(der), static_cast<std::size_t>(size));
    OPENSSL_free(der);
    return octets;
}

template <std::size_t size>
std::string hashed(unsigned char* (*function)(const unsigned char*, std::size_t, unsigned char*),
                   const std::string& octets) {
    std::string hash(size, '\0');
    function(reinterpret_cast<const unsigned char*>(octets.data()), octets.size(),
             reinterpret_cast<unsigned char*>(hash.data()));
    return hash;
}

}  // namespace

tls::X509Ptr certificate_in(const std::string& pem) {
    const BioPtr from(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    tls::X509Ptr certificate(PEM_read_bio_X509(from.get(), nullptr, no_passphrase, nullptr));
    ERR_clear_error();
    return certificate;
}

std::string key_hash(const std::string& pem) {
    const tls::X509Ptr certificate = certificate_in(pem);
    return certificate ? hexadecimal(tls::public_key_hash(certificate.get())) : "";
}

bool fits_certificate(const tls::Tlsa& record, const std::string& pem) {
    const tls::X509Ptr certificate = certificate_in(pem);
    if (!certificate) return false;
    const std::string octets = octets_of(certificate.get(), record.selector == 1);
    switch (record.matching) {
        case 0:
            return record.data == octets;
        case 1:
            return record.data == hashed<SHA256_DIGEST_LENGTH>(SHA256, octets);
        case 2:
            return record.data == hashed<SHA512_DIGEST_LENGTH>(SHA512, octets);
        default:
            return false;
    }
}

}  // namespace relais::setup
