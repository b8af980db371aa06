#include "keyd/ticket_keys.h"

#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "tls/openssl.h"

namespace relais::keyd {
namespace {

constexpr std::size_t masters_kept = 3;

void fill_random(unsigned char* to, std::size_t size) {
    if (RAND_bytes(to, static_cast<int>(size)) != 1)
        throw Error(Reaction::temporary, "unable to make a key: " + tls::take_errors("no random octets"));
}

}  // namespace

TicketKeys::TicketKeys(std::chrono::seconds lifetime, Clock::time_point now) : lifetime_(lifetime) {
    add_master(now);
}

TicketKeys::~TicketKeys() {
    for (Master& master : masters_) OPENSSL_cleanse(&master, sizeof master);
}

void TicketKeys::add_master(Clock::time_point now) {
    Master master{};
    fill_random(master.id.data(), master.id.size());
    fill_random(master.key.data(), master.key.size());
    master.born = now;
    masters_.push_front(master);
    OPENSSL_cleanse(&master, sizeof master);
}

void TicketKeys::rotate(Clock::time_point now) {
    if (now - masters_.front().born >= lifetime_) add_master(now);
    while (masters_.size() > masters_kept || now - masters_.back().born >= lifetime_ * masters_kept) {
        OPENSSL_cleanse(&masters_.back(), sizeof(Master));
        masters_.pop_back();
    }
}

namespace {

// HMAC-SHA256 of the name, twice with a different octet behind it.
void derive(const std::array<unsigned char, 32>& master, const unsigned char* name,
            std::array<unsigned char, ticket_key_size>& key) {
    std::array<unsigned char, ticket_name_size + 1> input{};
    std::memcpy(input.data(), name, ticket_name_size);
    for (unsigned char half = 0; half < 2; ++half) {
        input.back() = half;
        if (HMAC(EVP_sha256(), master.data(), static_cast<int>(master.size()), input.data(), input.size(),
                 key.data() + 32 * half, nullptr) == nullptr)
            throw Error(Reaction::temporary, "unable to derive a key: " + tls::take_errors("out of memory"));
    }
}

}  // namespace

Ticket TicketKeys::make(Clock::time_point now) {
    rotate(now);
    const Master& master = masters_.front();
    Ticket ticket;
    std::copy(master.id.begin(), master.id.end(), ticket.name.begin());
    fill_random(ticket.name.data() + master.id.size(), ticket.name.size() - master.id.size());
    derive(master.key, ticket.name.data(), ticket.key);
    return ticket;
}

TicketAnswer TicketKeys::find(std::string_view name, Clock::time_point now) {
    rotate(now);
    TicketAnswer answer;
    for (const Master& master : masters_) {
        if (std::memcmp(name.data(), master.id.data(), master.id.size()) != 0) continue;
        derive(master.key, reinterpret_cast<const unsigned char*>(name.data()), answer.key);
        answer.state = &master == &masters_.front() ? TicketState::good : TicketState::renew;
        break;
    }
    answer.fresh = make(now);
    return answer;
}

}  // namespace relais::keyd
