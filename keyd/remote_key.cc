#include "keyd/remote_key.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/params.h>
#include <openssl/provider.h>

#include <cstring>
#include <stdexcept>

#include "base/error.h"
#include "tls/certificate.h"

namespace relais::keyd {
namespace {

constexpr char provider_name[] = "relais";
constexpr char key_name_parameter[] = "relais-key-name";

Signer& signer() {
    static Signer function;
    return function;
}

// Nothing may be thrown into OpenSSL's frames.
template <class Work>
int guarded(Work work) noexcept {
    try {
        return work() ? 1 : 0;
    } catch (...) {
        return 0;
    }
}

struct Key {
    std::string name;         // SHA-256 of the public key; empty in a key that is only compared
    std::string public_half;  // the point or the modulus: what tells two keys of one type apart
    std::string group;
    int bits = 0;
    int security_bits = 0;
    int size = 0;
};

std::optional<std::string> octets_of(const OSSL_PARAM parameters[], const char* name) {
    const OSSL_PARAM* found = OSSL_PARAM_locate_const(parameters, name);
    if (found == nullptr || found->data == nullptr) return std::nullopt;
    return std::string(static_cast<const char*>(found->data), found->data_size);
}

void number_of(const OSSL_PARAM parameters[], const char* name, int& value) {
    const OSSL_PARAM* found = OSSL_PARAM_locate_const(parameters, name);
    if (found != nullptr) OSSL_PARAM_get_int(found, &value);
}

// --- the management of keys

void* new_key(void*) {
    return new (std::nothrow) Key;
}

void free_key(void* key) {
    delete static_cast<Key*>(key);
}

int has(const void*, int) {
    return 1;
}

int match(const void* a, const void* b, int) {
    const auto& one = *static_cast<const Key*>(a);
    const auto& other = *static_cast<const Key*>(b);
    return one.public_half == other.public_half && one.group == other.group ? 1 : 0;
}

// From our own make_remote_key; and from OpenSSL, when it compares a certificate's key with one of ours.
int import(void* data, int, const OSSL_PARAM parameters[]) {
    return guarded([&] {
        auto& key = *static_cast<Key*>(data);
        key.name = octets_of(parameters, key_name_parameter).value_or("");
        key.group = octets_of(parameters, OSSL_PKEY_PARAM_GROUP_NAME).value_or("").c_str();
        auto half = octets_of(parameters, OSSL_PKEY_PARAM_PUB_KEY);
        if (!half) half = octets_of(parameters, OSSL_PKEY_PARAM_RSA_N);
        if (!half) return false;
        // A big number may come with zeros above it.
        if (OSSL_PARAM_locate_const(parameters, OSSL_PKEY_PARAM_RSA_N) != nullptr)
            half->erase(half->find_last_not_of('\0') + 1);
        key.public_half = *std::move(half);
        number_of(parameters, OSSL_PKEY_PARAM_BITS, key.bits);
        number_of(parameters, OSSL_PKEY_PARAM_SECURITY_BITS, key.security_bits);
        number_of(parameters, OSSL_PKEY_PARAM_MAX_SIZE, key.size);
        return true;
    });
}

const OSSL_PARAM* import_types(int) {
    static const OSSL_PARAM types[] = {OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, nullptr, 0),
                                       OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_N, nullptr, 0),
                                       OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, nullptr, 0),
                                       OSSL_PARAM_octet_string(key_name_parameter, nullptr, 0),
                                       OSSL_PARAM_END};
    return types;
}

int get_key_parameters(void* data, OSSL_PARAM parameters[]) {
    const auto& key = *static_cast<const Key*>(data);
    const auto set = [&](const char* name, int value) {
        OSSL_PARAM* wanted = OSSL_PARAM_locate(parameters, name);
        return wanted == nullptr || OSSL_PARAM_set_int(wanted, value) == 1;
    };
    OSSL_PARAM* group = OSSL_PARAM_locate(parameters, OSSL_PKEY_PARAM_GROUP_NAME);
    if (group != nullptr && OSSL_PARAM_set_utf8_string(group, key.group.c_str()) != 1) return 0;
    return set(OSSL_PKEY_PARAM_BITS, key.bits) && set(OSSL_PKEY_PARAM_SECURITY_BITS, key.security_bits) &&
                   set(OSSL_PKEY_PARAM_MAX_SIZE, key.size)
               ? 1
               : 0;
}

const OSSL_PARAM* gettable_key_parameters(void*) {
    static const OSSL_PARAM types[] = {
        OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, nullptr), OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, nullptr),
        OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, nullptr),
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, nullptr, 0), OSSL_PARAM_END};
    return types;
}

// The operation's name where it is not the type's.
const char* ec_operation(int) {
    return "ECDSA";
}

// --- signing

struct Operation {
    const Key* key = nullptr;
    Digest digest = Digest::none;
    bool pss = false;
};

void* new_operation(void*, const char*) {
    return new (std::nothrow) Operation;
}

void free_operation(void* operation) {
    delete static_cast<Operation*>(operation);
}

int set_parameters(void* data, const OSSL_PARAM parameters[]) {
    if (parameters == nullptr) return 1;
    auto& operation = *static_cast<Operation*>(data);
    const OSSL_PARAM* padding = OSSL_PARAM_locate_const(parameters, OSSL_SIGNATURE_PARAM_PAD_MODE);
    if (padding == nullptr || padding->data == nullptr) return 1;
    if (padding->data_type == OSSL_PARAM_UTF8_STRING) {
        const auto* text = static_cast<const char*>(padding->data);
        operation.pss = std::strcmp(text, OSSL_PKEY_RSA_PAD_MODE_PSS) == 0;
        return operation.pss || std::strcmp(text, OSSL_PKEY_RSA_PAD_MODE_PKCSV15) == 0 ? 1 : 0;
    }
    int mode = 0;
    if (OSSL_PARAM_get_int(padding, &mode) != 1) return 0;
    operation.pss = mode == 6;  // RSA_PKCS1_PSS_PADDING, whose header is for what came before providers
    return mode == 6 || mode == 1 ? 1 : 0;
}

const OSSL_PARAM* settable_parameters(void*, void*) {
    static const OSSL_PARAM types[] = {OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, nullptr, 0),
                                       OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, nullptr, 0),
                                       OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_MGF1_DIGEST, nullptr, 0),
                                       OSSL_PARAM_END};
    return types;
}

std::optional<Digest> digest_named(const char* name) {
    if (name == nullptr || *name == '\0') return Digest::none;
    const std::unique_ptr<EVP_MD, tls::Release<EVP_MD_free>> function(EVP_MD_fetch(nullptr, name, nullptr));
    if (!function) return std::nullopt;
    const std::pair<const char*, Digest> known[] = {{"SHA256", Digest::sha256},
                                                    {"SHA384", Digest::sha384},
                                                    {"SHA512", Digest::sha512},
                                                    {"SHA1", Digest::sha1},
                                                    {"MD5-SHA1", Digest::md5_sha1}};
    for (const auto& [text, digest] : known)
        if (EVP_MD_is_a(function.get(), text) == 1) return digest;
    return std::nullopt;
}

int sign_init(void* data, const char* digest, void* key, const OSSL_PARAM parameters[]) {
    return guarded([&] {
        auto& operation = *static_cast<Operation*>(data);
        const auto known = digest_named(digest);
        if (!known || key == nullptr) return false;
        operation.key = static_cast<const Key*>(key);
        operation.digest = *known;
        return set_parameters(data, parameters) == 1;
    });
}

int sign(void* data, unsigned char* to, std::size_t* size, std::size_t room, const unsigned char* text,
         std::size_t text_size) {
    return guarded([&] {
        const auto& operation = *static_cast<const Operation*>(data);
        const auto largest = static_cast<std::size_t>(operation.key->size);
        if (to == nullptr) {
            *size = largest;
            return true;
        }
        const bool rsa = operation.key->group.empty() && operation.digest != Digest::none;
        const std::string signature = signer()({operation.key->name,
                                                operation.digest,
                                                !rsa            ? Padding::none
                                                : operation.pss ? Padding::pss
                                                                : Padding::pkcs1,
                                                {reinterpret_cast<const char*>(text), text_size}});
        if (signature.size() > room) return false;
        std::memcpy(to, signature.data(), signature.size());
        *size = signature.size();
        return true;
    });
}

// --- the tables

using Function = void (*)();

template <class F>
constexpr Function any(F* function) {
    return reinterpret_cast<Function>(function);
}

#define RELAIS_KEY_FUNCTIONS                                                                          \
    {OSSL_FUNC_KEYMGMT_NEW, any(new_key)}, {OSSL_FUNC_KEYMGMT_FREE, any(free_key)},                   \
        {OSSL_FUNC_KEYMGMT_HAS, any(has)}, {OSSL_FUNC_KEYMGMT_MATCH, any(match)},                     \
        {OSSL_FUNC_KEYMGMT_IMPORT, any(import)}, {OSSL_FUNC_KEYMGMT_IMPORT_TYPES, any(import_types)}, \
        {OSSL_FUNC_KEYMGMT_GET_PARAMS, any(get_key_parameters)}, {                                    \
        OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, any(gettable_key_parameters)                               \
    }

const OSSL_DISPATCH key_functions[] = {RELAIS_KEY_FUNCTIONS, {0, nullptr}};
const OSSL_DISPATCH ec_key_functions[] = {
    RELAIS_KEY_FUNCTIONS, {OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, any(ec_operation)}, {0, nullptr}};
#undef RELAIS_KEY_FUNCTIONS

const OSSL_DISPATCH sign_functions[] = {{OSSL_FUNC_SIGNATURE_NEWCTX, any(new_operation)},
                                        {OSSL_FUNC_SIGNATURE_FREECTX, any(free_operation)},
                                        {OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, any(sign_init)},
                                        {OSSL_FUNC_SIGNATURE_DIGEST_SIGN, any(sign)},
                                        {OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS, any(set_parameters)},
                                        {OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS, any(settable_parameters)},
                                        {0, nullptr}};

const OSSL_ALGORITHM managers[] = {{"RSA:rsaEncryption", "provider=relais", key_functions, nullptr},
                                   {"EC:id-ecPublicKey", "provider=relais", ec_key_functions, nullptr},
                                   {"ED25519", "provider=relais", key_functions, nullptr},
                                   {nullptr, nullptr, nullptr, nullptr}};
const OSSL_ALGORITHM signatures[] = {{"RSA:rsaEncryption", "provider=relais", sign_functions, nullptr},
                                     {"ECDSA", "provider=relais", sign_functions, nullptr},
                                     {"ED25519", "provider=relais", sign_functions, nullptr},
                                     {nullptr, nullptr, nullptr, nullptr}};

const OSSL_ALGORITHM* query(void*, int operation, int* no_cache) {
    *no_cache = 0;
    if (operation == OSSL_OP_KEYMGMT) return managers;
    return operation == OSSL_OP_SIGNATURE ? signatures : nullptr;
}

int provider_main(const OSSL_CORE_HANDLE*, const OSSL_DISPATCH*, const OSSL_DISPATCH** out, void** context) {
    static const OSSL_DISPATCH functions[] = {{OSSL_FUNC_PROVIDER_QUERY_OPERATION, any(query)}, {0, nullptr}};
    static int unused = 0;
    *out = functions;
    *context = &unused;
    return 1;
}

[[noreturn]] void fail(const char* what) {
    throw Error(Reaction::temporary,
                std::string("unable to ") + what + ": " + tls::take_errors("out of memory"));
}

void load_provider() {
    static const bool loaded = [] {
        tls::initialise();
        // Loading one turns the automatic default off.
        return OSSL_PROVIDER_add_builtin(nullptr, provider_name, provider_main) == 1 &&
               OSSL_PROVIDER_load(nullptr, "default") != nullptr &&
               OSSL_PROVIDER_load(nullptr, provider_name) != nullptr &&
               EVP_set_default_properties(nullptr, "?provider=default") == 1;
    }();
    if (!loaded) fail("load the provider of our keys");
}

const char* type_of(EVP_PKEY* key) {
    for (const char* type : {"EC", "RSA", "ED25519"})
        if (EVP_PKEY_is_a(key, type) == 1) return type;
    throw_permanent("unable to use a certificate: its key is neither RSA nor EC nor Ed25519");
}

using ParamsPtr = std::unique_ptr<OSSL_PARAM, tls::Release<OSSL_PARAM_free>>;

// What import reads: the public half as OpenSSL exports it, and what we add.
ParamsPtr parameters_of(EVP_PKEY* key, std::string& name, std::array<int, 3>& sizes) {
    OSSL_PARAM* exported = nullptr;
    if (EVP_PKEY_todata(key, EVP_PKEY_PUBLIC_KEY, &exported) != 1) fail("read a public key");
    const ParamsPtr owned(exported);
    const OSSL_PARAM ours[] = {
        OSSL_PARAM_construct_octet_string(key_name_parameter, name.data(), name.size()),
        OSSL_PARAM_construct_int(OSSL_PKEY_PARAM_BITS, &sizes[0]),
        OSSL_PARAM_construct_int(OSSL_PKEY_PARAM_SECURITY_BITS, &sizes[1]),
        OSSL_PARAM_construct_int(OSSL_PKEY_PARAM_MAX_SIZE, &sizes[2]), OSSL_PARAM_construct_end()};
    OSSL_PARAM* merged = OSSL_PARAM_merge(exported, ours);
    if (merged == nullptr) fail("describe a key");
    OSSL_PARAM* copy = OSSL_PARAM_dup(merged);
    OPENSSL_free(merged);
    if (copy == nullptr) fail("describe a key");
    return ParamsPtr(copy);
}

}  // namespace

void set_signer(Signer function) {
    signer() = std::move(function);
}

tls::KeyPtr make_remote_key(X509* certificate) {
    load_provider();
    EVP_PKEY* const half = X509_get0_pubkey(certificate);
    if (half == nullptr) fail("read the public key of a certificate");
    std::string name = tls::public_key_hash(certificate);
    std::array<int, 3> sizes = {EVP_PKEY_get_bits(half), EVP_PKEY_get_security_bits(half),
                                EVP_PKEY_get_size(half)};
    const ParamsPtr parameters = parameters_of(half, name, sizes);
    const std::unique_ptr<EVP_PKEY_CTX, tls::Release<EVP_PKEY_CTX_free>> context(
        EVP_PKEY_CTX_new_from_name(nullptr, type_of(half), "provider=relais"));
    EVP_PKEY* made = nullptr;
    if (!context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
        EVP_PKEY_fromdata(context.get(), &made, EVP_PKEY_KEYPAIR, parameters.get()) != 1)
        fail("make a key that is elsewhere");
    return tls::KeyPtr(made);
}

}  // namespace relais::keyd
