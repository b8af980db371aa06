#include "auth/login_cache.h"

#include <sodium.h>

#include "base/error.h"

namespace relais::auth {

LoginCache::LoginCache(std::chrono::seconds lifetime, std::size_t limit)
    : lifetime_(lifetime), limit_(limit) {
    if (::sodium_init() < 0) throw Error(Reaction::temporary, "unable to initialise libsodium");
    ::randombytes_buf(secret_.data(), secret_.size());
}

LoginCache::~LoginCache() {
    ::sodium_memzero(secret_.data(), secret_.size());
}

LoginCache::Key LoginCache::key_of(std::string_view account, std::string_view network,
                                   std::string_view password) const {
    crypto_generichash_state state;
    Key key(crypto_generichash_BYTES, '\0');
    const auto add_octets = [&state](std::string_view text) {
        ::crypto_generichash_update(&state, reinterpret_cast<const unsigned char*>(text.data()), text.size());
    };
    ::crypto_generichash_init(&state, secret_.data(), secret_.size(), key.size());
    for (const std::string_view field : {account, network, password}) {
        add_octets(field);
        add_octets(std::string_view("\0", 1));  // no field has one
    }
    ::crypto_generichash_final(&state, reinterpret_cast<unsigned char*>(key.data()), key.size());
    ::sodium_memzero(&state, sizeof state);
    return key;
}

bool LoginCache::knows(std::string_view account, std::string_view network, std::string_view password,
                       Clock::time_point now) const {
    if (until_.empty()) return false;
    const auto found = until_.find(key_of(account, network, password));
    return found != until_.end() && now < found->second;
}

void LoginCache::add(std::string_view account, std::string_view network, std::string_view password,
                     Clock::time_point now) {
    if (lifetime_.count() == 0) return;
    drop_old(now);
    Key key = key_of(account, network, password);
    if (until_.emplace(key, now + lifetime_).second) by_age_.push_back(std::move(key));
}

void LoginCache::drop_old(Clock::time_point now) {
    while (!by_age_.empty()) {
        const auto oldest = until_.find(by_age_.front());
        if (until_.size() < limit_ && now < oldest->second) return;
        until_.erase(oldest);
        by_age_.pop_front();
    }
}

void LoginCache::clear() {
    until_.clear();
    by_age_.clear();
}

}  // namespace relais::auth
