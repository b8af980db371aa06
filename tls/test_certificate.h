// Certificates for tests, made on the spot.
#pragma once

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <string>

#include "tls/openssl.h"

namespace relais::tls {

struct TestCertificate {
    std::string chain;  // PEM
    std::string key;    // PEM

    // Self-signed for name; key: "EC", "RSA" or "ED25519".
    static TestCertificate make(const std::string& name, const std::string& algorithm = "EC") {
        initialise();
        const KeyPtr key(algorithm == "EC"    ? EVP_EC_gen("P-256")
                         : algorithm == "RSA" ? EVP_RSA_gen(2048)
                                              : EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
        const X509Ptr made(X509_new());
        X509* const x = made.get();
        X509_set_version(x, X509_VERSION_3);
        ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
        X509_gmtime_adj(X509_getm_notBefore(x), -60);
        X509_gmtime_adj(X509_getm_notAfter(x), 86400);
        X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                                   reinterpret_cast<const unsigned char*>(name.data()),
                                   static_cast<int>(name.size()), -1, 0);
        X509_set_issuer_name(x, X509_get_subject_name(x));
        X509_set_pubkey(x, key.get());
        X509_EXTENSION* const names =
            X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, ("DNS:" + name).c_str());
        X509_add_ext(x, names, -1);
        X509_EXTENSION_free(names);
        X509_sign(x, key.get(), algorithm == "ED25519" ? nullptr : EVP_sha256());
        return {text([&](BIO* to) { PEM_write_bio_X509(to, x); }), text([&](BIO* to) {
                    PEM_write_bio_PrivateKey(to, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
                })};
    }

  private:
    template <class Write>
    static std::string text(Write write) {
        BIO* const memory = BIO_new(BIO_s_mem());
        write(memory);
        char* data = nullptr;
        const long size = BIO_get_mem_data(memory, &data);
        std::string result(data, static_cast<std::size_t>(size));
        BIO_free(memory);
        return result;
    }
};

}  // namespace relais::tls
