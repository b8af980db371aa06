#include "setup/certificate.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "base/error.h"
#include "tls/openssl.h"

namespace relais::setup {
namespace {

constexpr long lifetime = 3650L * 86400;
// Clocks differ.
constexpr long before = 86400;

using BioPtr = std::unique_ptr<BIO, tls::Release<BIO_free_all>>;
using ExtensionPtr = std::unique_ptr<X509_EXTENSION, tls::Release<X509_EXTENSION_free>>;

void must(bool done) {
    if (!done)
        throw Error(Reaction::temporary,
                    "unable to make a certificate: " + tls::take_errors("out of memory"));
}

void add_extension(X509* certificate, int kind, const std::string& value) {
    const ExtensionPtr extension(X509V3_EXT_conf_nid(nullptr, nullptr, kind, value.c_str()));
    must(extension && X509_add_ext(certificate, extension.get(), -1) == 1);
}

void set_serial_number(X509* certificate) {
    std::uint64_t number = 0;
    must(RAND_bytes(reinterpret_cast<unsigned char*>(&number), sizeof number) == 1);
    must(ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), number >> 1 | 1) == 1);
}

}  // namespace

std::string self_signed_certificate(const std::string& name) {
    tls::initialise();
    const tls::KeyPtr key(EVP_EC_gen("P-256"));
    const tls::X509Ptr certificate(X509_new());
    must(key && certificate);
    X509* const x = certificate.get();
    must(X509_set_version(x, X509_VERSION_3) == 1);
    set_serial_number(x);
    must(X509_gmtime_adj(X509_getm_notBefore(x), -before) != nullptr &&
         X509_gmtime_adj(X509_getm_notAfter(x), lifetime) != nullptr);
    X509_NAME* const subject = X509_get_subject_name(x);
    // A common name has 64 octets at most; the name that counts is the alternative one.
    const std::string common = name.substr(0, 64);
    must(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                                    reinterpret_cast<const unsigned char*>(common.data()),
                                    static_cast<int>(common.size()), -1, 0) == 1);
    must(X509_set_issuer_name(x, subject) == 1 && X509_set_pubkey(x, key.get()) == 1);
    add_extension(x, NID_subject_alt_name, "DNS:" + name);
    must(X509_sign(x, key.get(), EVP_sha256()) > 0);
    const BioPtr memory(BIO_new(BIO_s_mem()));
    must(memory &&
         PEM_write_bio_PrivateKey(memory.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1 &&
         PEM_write_bio_X509(memory.get(), x) == 1);
    char* data = nullptr;
    const long size = BIO_get_mem_data(memory.get(), &data);
    return {data, static_cast<std::size_t>(size)};
}

}  // namespace relais::setup
