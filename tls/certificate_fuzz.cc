// A certificate (DER) that a client or a server shows: its names go into logs and decisions.
#include <openssl/x509.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "tls/certificate.h"
#include "tls/client_context.h"
#include "tls/openssl.h"

using namespace relais;

namespace {

void require_printable(std::string_view text) {
    for (const char c : text)
        if (c < 32 || c > 126) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const unsigned char* at = data;
    const std::unique_ptr<X509, decltype(&X509_free)> certificate(
        ::d2i_X509(nullptr, &at, static_cast<long>(size)), &X509_free);
    if (!certificate) return 0;
    require_printable(tls::subject(certificate.get()));
    require_printable(tls::issuer(certificate.get()));
    for (const std::string& address : tls::mail_addresses(certificate.get()))
        if (address.find('\0') != std::string::npos) std::abort();
    if (tls::fingerprint(certificate.get()).size() != 64) std::abort();
    tls::public_key_hash(certificate.get());
    tls::end_point_binding(certificate.get());
    const tls::ServerCheck check({{"mx.there.test", ".there.test", "192.0.2.1"}, {}});
    require_printable(check.name_complaint(certificate.get()));
    return 0;
}
