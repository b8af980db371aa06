#include "keyd/key_store.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#ifdef RELAIS_SANITIZED
#include <sanitizer/lsan_interface.h>
#endif

#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "tls/certificate.h"

namespace relais::keyd {
namespace {

constexpr std::size_t locked_memory = std::size_t{1} << 22;
constexpr std::size_t chain_limit = 20;
// For how long a handshake may go on with a certificate that has been replaced.
constexpr std::chrono::minutes old_keys_kept{10};

using BioPtr = std::unique_ptr<BIO, tls::Release<BIO_free_all>>;

BioPtr view(std::string_view text) {
    return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// Never asks anybody for a passphrase.
int no_passphrase(char*, int, int, void*) {
    return -1;
}

std::vector<tls::X509Ptr> read_chain(std::string_view text) {
    std::vector<tls::X509Ptr> chain;
    const BioPtr from = view(text);
    while (from && chain.size() < chain_limit) {
        tls::X509Ptr next(PEM_read_bio_X509(from.get(), nullptr, no_passphrase, nullptr));
        if (!next) break;
        chain.push_back(std::move(next));
    }
    ERR_clear_error();
    return chain;
}

std::string to_der(X509* certificate) {
    unsigned char* der = nullptr;
    const int size = i2d_X509(certificate, &der);
    if (size <= 0) return "";
    std::string result(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size));
    OPENSSL_free(der);
    return result;
}

// "servercert" -> "", "servercerts/NAME" -> NAME in lower case.
std::string entry_name(std::string_view stem) {
    constexpr std::string_view folder = "servercerts/";
    return stem.starts_with(folder) ? lower(stem.substr(folder.size())) : "";
}

// LeakSanitizer does not look into memory that is mapped, where the random generators hold pointers to
// others' memory.
void show_to_leak_sanitizer() {
#ifdef RELAIS_SANITIZED
    void* const all = OPENSSL_secure_malloc(locked_memory);
    if (all != nullptr) __lsan_register_root_region(all, locked_memory);
    OPENSSL_secure_free(all);
#endif
}

}  // namespace

void prepare_locked_memory() {
    tls::initialise();
    if (CRYPTO_secure_malloc_initialized() != 0) return;
    if (CRYPTO_secure_malloc_init(locked_memory, 32) == 0)
        throw Error(Reaction::temporary, "unable to lock memory for keys");
    show_to_leak_sanitizer();
}

SecretText::SecretText(std::size_t size)
    : data_(static_cast<char*>(OPENSSL_secure_zalloc(size + 1))), size_(size), capacity_(size + 1) {
    if (data_ == nullptr) throw_errno("allocate", "locked memory", ENOMEM);
}

SecretText::SecretText(SecretText&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(other.size_), capacity_(other.capacity_) {}

SecretText::~SecretText() {
    OPENSSL_secure_clear_free(data_, capacity_);
}

void KeyStore::add(std::string file, SecretText content) {
    files_.emplace(std::move(file), std::move(content));
}

// Nothing if it cannot be used; problem says why.
std::optional<KeyStore::Entry> KeyStore::load(std::string_view chain, std::string_view key,
                                              Clock::time_point now, std::string& problem) {
    Entry entry;
    const auto certificates = read_chain(chain);
    if (certificates.empty()) {
        problem = "there is no certificate in it";
        return std::nullopt;
    }
    const BioPtr from = view(key);
    tls::KeyPtr read(PEM_read_bio_PrivateKey(from.get(), nullptr, no_passphrase, nullptr));
    ERR_clear_error();
    if (!read) {
        problem =
            "there is no private key without a passphrase in it, nor in the file of the same name with .key";
        return std::nullopt;
    }
    if (X509_check_private_key(certificates.front().get(), read.get()) != 1) {
        ERR_clear_error();
        problem = "the private key does not belong to the certificate";
        return std::nullopt;
    }
    if (EVP_PKEY_is_a(read.get(), "EC") != 1 && EVP_PKEY_is_a(read.get(), "RSA") != 1 &&
        EVP_PKEY_is_a(read.get(), "ED25519") != 1) {
        problem = "its key is neither RSA nor EC nor Ed25519";
        return std::nullopt;
    }
    for (const auto& certificate : certificates) entry.chain.push_back(to_der(certificate.get()));
    entry.key_name = tls::public_key_hash(certificates.front().get());
    keys_[entry.key_name] = {std::move(read), now};
    return entry;
}

std::vector<std::string> KeyStore::commit(Clock::time_point now) {
    std::vector<std::string> problems;
    std::map<std::string, Entry, std::less<>> fresh;
    for (const auto& [file, content] : files_) {
        if (!file.ends_with(".pem")) continue;
        const std::string stem = file.substr(0, file.size() - 4);
        const std::string name = entry_name(stem);
        const auto key_file = files_.find(stem + ".key");
        std::string problem;
        auto entry = load(content.view(), key_file != files_.end() ? key_file->second.view() : content.view(),
                          now, problem);
        if (entry) {
            fresh.emplace(name, *std::move(entry));
            continue;
        }
        const auto old = entries_.find(name);
        problems.push_back("unable to use control/" + file + ": " + problem +
                           (old != entries_.end() ? "; the one before it stays in use" : ""));
        if (old != entries_.end()) fresh.insert(*old);
    }
    files_.clear();
    entries_ = std::move(fresh);
    const bool named = entries_.size() > (entries_.contains("") ? 1u : 0u);
    for (auto& [name, entry] : entries_) {
        entry.encoded = encode_chain({named, entry.chain});
        keys_[entry.key_name].used = now;
    }
    none_ = encode_chain({named, {}});
    std::erase_if(keys_, [now](const auto& held) { return now - held.second.used > old_keys_kept; });
    return problems;
}

const std::string& KeyStore::chain_for(std::string_view name) const {
    const std::string wanted = lower(name);
    auto found = entries_.find(wanted);
    if (found == entries_.end())
        if (const std::size_t dot = wanted.find('.'); dot != std::string::npos)
            found = entries_.find("*" + wanted.substr(dot));
    if (found == entries_.end()) found = entries_.find("");
    return found == entries_.end() ? none_ : found->second.encoded;
}

EVP_PKEY* KeyStore::find_key(std::string_view name) const {
    const auto found = keys_.find(name);
    return found == keys_.end() ? nullptr : found->second.key.get();
}

}  // namespace relais::keyd
