// Owners of OpenSSL's objects, and its errors in words.
#pragma once

#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <string>
#include <string_view>

namespace relais::tls {

template <auto release>
struct Release {
    template <class T>
    void operator()(T* object) const {
        release(object);
    }
};

using SslPtr = std::unique_ptr<SSL, Release<SSL_free>>;
using SslCtxPtr = std::unique_ptr<SSL_CTX, Release<SSL_CTX_free>>;
using SessionPtr = std::unique_ptr<SSL_SESSION, Release<SSL_SESSION_free>>;
using X509Ptr = std::unique_ptr<X509, Release<X509_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Release<EVP_PKEY_free>>;
using DigestPtr = std::unique_ptr<EVP_MD_CTX, Release<EVP_MD_CTX_free>>;

// Prepares the library: no configuration file is read, nothing runs at exit. Every function of tls/ that
// needs it calls it.
void initialise();

// OpenSSL's memory is overwritten when it is given back, from now on (base/overwriting_memory.h). To be
// called before everything else; where OpenSSL has asked for memory before, or under a sanitizer, all stays
// as it is.
void overwrite_freed_memory();

// What OpenSSL's error queue of this thread says, shortest form, and empties it: "wrong version number".
// fallback if it says nothing.
std::string take_errors(std::string_view fallback);

}  // namespace relais::tls
