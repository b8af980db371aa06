// A policy by HTTPS (RFC 8461, 3.3): the only place that knows libcurl. Port 443, no redirects, no proxy, a
// certificate for the host, text/plain, policy_limit octets.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "control/home.h"
#include "sts/policy.h"

namespace relais::sts {

struct Fetched {
    std::optional<Policy> policy{};
    std::string id{};      // of the record in DNS
    std::string reason{};  // why there is no policy, for people
};

// Prepares the library: before the process is confined. Throws Error.
void prepare_fetching();

// Asks mta-sts.DOMAIN at these addresses for its policy; authorities: a PEM file. Throws Error where the
// library cannot be used at all.
Fetched fetch_policy(const std::string& domain, const std::vector<std::string>& addresses,
                     const std::string& authorities, Seconds patience);

// What a fetcher is to do: seconds for all of it, DNS too (1 octet), and the domain.
struct Order {
    std::string domain;
    Seconds patience{};
};
std::string encode(const Order& order);
// Nothing for what is none.
std::optional<Order> decode_order(std::string_view packet);

// A process of its own does it: orders in packets, each answered by a packet. It reads control/privatemx and
// control/mtastsca each time, asks qmail-resolver for the record and the addresses, and lets nobody lead it
// to private addresses. Returns when the other end is closed. Throws Error.
void serve_fetches(int socket, const control::Home& home);

inline constexpr std::size_t request_limit = 256;
inline constexpr std::size_t reply_limit = policy_limit + 256;
std::string encode_reply(const Fetched& fetched);
std::optional<Fetched> decode_reply(std::string_view data);

}  // namespace relais::sts
