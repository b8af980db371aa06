// The certificates of an instance and their private keys, in memory that is locked and wiped.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/deadline.h"
#include "keyd/protocol.h"
#include "tls/openssl.h"

namespace relais::keyd {

// Memory for keys and what they are read from: locked, never dumped, wiped when released. Call it once,
// early.
void prepare_locked_memory();

// The content of a file with a key: in locked memory.
class SecretText {
  public:
    explicit SecretText(std::size_t size);
    ~SecretText();
    SecretText(SecretText&& other) noexcept;
    SecretText& operator=(SecretText&&) = delete;
    char* data() { return data_; }
    std::string_view view() const { return {data_, size_}; }
    void shrink(std::size_t size) { size_ = size; }

  private:
    char* data_;
    std::size_t size_;
    std::size_t capacity_;
};

class KeyStore {
  public:
    // A set of files, all of them, replaces the last set. file: its name below control/, as in
    // "servercert.pem", "servercert.key", "servercerts/NAME.pem", "servercerts/NAME.key".
    void add(std::string file, SecretText content);
    // Takes the set over. Returns what is wrong, a line each: an unusable certificate leaves the last good
    // one of that name in use.
    std::vector<std::string> commit(Clock::time_point now);

    // For a server name: its own certificate, that of "*.parent", the default one; without any an empty
    // chain. Pre-encoded ('C').
    const std::string& chain_for(std::string_view name) const;
    // A key that is in use, or was until lately (handshakes that began before a change). Nothing if there is
    // none.
    EVP_PKEY* find_key(std::string_view name) const;
    std::size_t size() const { return entries_.size(); }

  private:
    struct Entry {
        std::vector<std::string> chain;  // DER
        std::string encoded;
        std::string key_name;
    };
    struct HeldKey {
        tls::KeyPtr key;
        Clock::time_point used;
    };
    std::optional<Entry> load(std::string_view chain, std::string_view key, Clock::time_point now,
                              std::string& problem);

    std::map<std::string, SecretText> files_;
    std::map<std::string, Entry, std::less<>> entries_;  // by name; "" is the default
    std::map<std::string, HeldKey, std::less<>> keys_;   // by SHA-256 of the public key
    std::string none_ = encode_chain({});
};

}  // namespace relais::keyd
