#include "tls/client_context.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <ctime>

#include "base/error.h"
#include "base/hexadecimal.h"
#include "tls/certificate.h"

namespace relais::tls {
namespace {

// A certificate may have thousands of names; a bounce needs few of them.
constexpr int names_shown = 5;
constexpr std::size_t name_length_shown = 100;

// Where an SSL keeps its ServerCheck.
int check_index() {
    static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
    return index;
}

std::string printable(std::string_view text) {
    std::string shown(text.substr(0, name_length_shown));
    std::replace_if(
        shown.begin(), shown.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
    return shown;
}

std::string day_of(const ASN1_TIME* time) {
    struct tm parts {};
    char text[32];
    if (ASN1_TIME_to_tm(time, &parts) != 1 || std::strftime(text, sizeof text, "%Y-%m-%d", &parts) == 0)
        return "an unknown day";
    return text;
}

// "its certificate", or whose of the chain.
std::string whose(X509* certificate, int depth) {
    return depth == 0 ? "its certificate"
                      : "the certificate of its authority " + printable(subject(certificate));
}

// What OpenSSL says, according to the chain, where no TLSA record fits any certificate of it.
bool is_of_untrusted_authority(int error) {
    switch (error) {
        case X509_V_ERR_DANE_NO_MATCH:
        case X509_V_ERR_CERT_UNTRUSTED:
        case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
        case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
            return true;
        default:
            return false;
    }
}

std::string describe_chain_error(int error, int depth, X509* certificate) {
    if (certificate == nullptr) return X509_verify_cert_error_string(error);
    switch (error) {
        case X509_V_ERR_CERT_HAS_EXPIRED:
            return whose(certificate, depth) + " expired on " + day_of(X509_get0_notAfter(certificate));
        case X509_V_ERR_CERT_NOT_YET_VALID:
            return whose(certificate, depth) + " is not valid before " +
                   day_of(X509_get0_notBefore(certificate));
        case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
            return "its certificate is self-signed (" + printable(subject(certificate)) + ")";
        case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
        case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
            return "its certificate is signed by an authority that is not trusted here (" +
                   printable(issuer(certificate)) + ")";
        default:
            return whose(certificate, depth) + " is wrong: " + X509_verify_cert_error_string(error);
    }
}

bool is_valid_for(X509* certificate, const std::string& name) {
    if (X509_check_ip_asc(certificate, name.c_str(), 0) == 1) return true;
    return X509_check_host(certificate, name.data(), name.size(), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS,
                           nullptr) == 1;
}

std::string names_of(X509* certificate) {
    using Names = std::unique_ptr<GENERAL_NAMES, Release<GENERAL_NAMES_free>>;
    const Names names(
        static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
    std::string text;
    const int count = names ? sk_GENERAL_NAME_num(names.get()) : 0;
    int shown = 0;
    for (int i = 0; i < count && shown < names_shown; ++i) {
        const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
        if (name->type != GEN_DNS) continue;
        const ASN1_IA5STRING* value = name->d.dNSName;
        text += shown++ == 0 ? "" : ", ";
        text += printable({reinterpret_cast<const char*>(ASN1_STRING_get0_data(value)),
                           static_cast<std::size_t>(ASN1_STRING_length(value))});
    }
    if (text.empty()) return printable(subject(certificate));
    return count > names_shown ? text + " and others" : text;
}

}  // namespace

void trust(const ClientContext& context, const std::string& file) {
    ERR_clear_error();
    if (SSL_CTX_load_verify_file(context.native(), file.c_str()) != 1)
        throw Error(Reaction::temporary, "unable to read certificates of authorities from " + file + ": " +
                                             take_errors("there are none"));
}

void ServerCheck::prepare(SSL* ssl) {
    SSL_set_ex_data(ssl, check_index(), this);
    if (!expectation_.tlsa.empty()) return prepare_dane(ssl);
    if (!expectation_.names.empty()) SSL_set_verify(ssl, SSL_VERIFY_PEER, &ServerCheck::watch_chain);
}

void ServerCheck::prepare_dane(SSL* ssl) {
    ERR_clear_error();
    bool done = SSL_dane_enable(ssl, expectation_.names.front().c_str()) == 1;
    SSL_dane_set_flags(ssl, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    for (const std::string& name : expectation_.names) done = done && SSL_add1_host(ssl, name.c_str()) == 1;
    for (const Tlsa& record : expectation_.tlsa)
        done = done && SSL_dane_tlsa_add(ssl, record.usage, record.selector, record.matching,
                                         reinterpret_cast<const unsigned char*>(record.data.data()),
                                         record.data.size()) == 1;
    if (!done)
        throw Error(Reaction::temporary, "unable to use the TLSA records of " + expectation_.tlsa_name +
                                             ": " + take_errors("out of memory"));
    SSL_set_verify(ssl, SSL_VERIFY_PEER, &ServerCheck::watch_chain);
}

int ServerCheck::watch_chain(int right, X509_STORE_CTX* chain) {
    if (right == 1) return 1;
    auto* const ssl =
        static_cast<SSL*>(X509_STORE_CTX_get_ex_data(chain, SSL_get_ex_data_X509_STORE_CTX_idx()));
    auto* const self = static_cast<ServerCheck*>(SSL_get_ex_data(ssl, check_index()));
    try {
        if (self->chain_complaint_.empty()) self->chain_complaint_ = self->describe(chain);
    } catch (const std::exception&) {
        // The reason stays untold, not unnoticed.
    }
    return 0;
}

std::string ServerCheck::describe(X509_STORE_CTX* chain) const {
    const int error = X509_STORE_CTX_get_error(chain);
    if (!expectation_.tlsa.empty()) {
        X509* const certificate = X509_STORE_CTX_get0_cert(chain);
        if (error == X509_V_ERR_HOSTNAME_MISMATCH) return name_complaint(certificate);
        if (is_of_untrusted_authority(error)) return dane_complaint(certificate);
    }
    return describe_chain_error(error, X509_STORE_CTX_get_error_depth(chain),
                                X509_STORE_CTX_get_current_cert(chain));
}

std::string ServerCheck::complaint(SSL* ssl) const {
    if (expectation_.names.empty() && expectation_.digests.empty()) return "";
    X509* const certificate = SSL_get0_peer_certificate(ssl);
    if (certificate == nullptr) return "it showed no certificate";
    if (!expectation_.tlsa.empty())
        return SSL_get_verify_result(ssl) == X509_V_OK && SSL_get0_dane_authority(ssl, nullptr, nullptr) >= 0
                   ? ""
                   : dane_complaint(certificate);
    if (!expectation_.digests.empty()) return digest_complaint(certificate);
    if (const long result = SSL_get_verify_result(ssl); result != X509_V_OK)
        return describe_chain_error(static_cast<int>(result), 0, certificate);
    if (X509_cmp_current_time(X509_get0_notAfter(certificate)) <= 0)
        return describe_chain_error(X509_V_ERR_CERT_HAS_EXPIRED, 0, certificate);
    return name_complaint(certificate);
}

std::string ServerCheck::name_complaint(X509* certificate) const {
    std::string wanted;
    for (const std::string& name : expectation_.names) {
        if (is_valid_for(certificate, name)) return "";
        wanted += (wanted.empty() ? "" : " or ") + name;
    }
    return "its certificate is for " + names_of(certificate) + ", not for " + printable(wanted);
}

std::string ServerCheck::dane_complaint(X509* certificate) const {
    return "its certificate fits no TLSA record of " + expectation_.tlsa_name +
           ", where one for it would be " + text_of({3, 1, 1, public_key_hash(certificate)});
}

std::string ServerCheck::digest_complaint(X509* certificate) const {
    const std::string of_certificate = fingerprint(certificate);
    const std::string of_key = hexadecimal(public_key_hash(certificate));
    for (const std::string& digest : expectation_.digests)
        if (digest == of_certificate || digest == of_key) return "";
    return "its certificate has another fingerprint: sha256=" + of_certificate;
}

}  // namespace relais::tls
