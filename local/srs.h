// The Sender Rewriting Scheme: what is forwarded goes on under a sender of ours, or SPF of its own domain
// would fail at the next server; bounces to that sender come back here, and go to the one behind it. Pure.
//
//   joe@far.example                   SRS0=HASH=TT=far.example=joe@OURS
//   SRS0=...@other.example            SRS1=HASH=other.example==...@OURS
//   SRS1=HASH=first=...@other.example SRS1=HASH=first=...@OURS
//
// HASH: six letters of base32 of an HMAC-SHA256 with our secret; TT: the day, modulo 1024, in base32. Servers
// on the way may change the case of letters, so case does not count.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace relais::local {

// So long a bounce to a rewritten sender is taken.
inline constexpr std::int64_t srs_days = 21;
// Secrets that count, and octets of one.
inline constexpr std::size_t srs_secrets_limit = 10;
inline constexpr std::size_t srs_secret_least = 8;

class Srs {
  public:
    Srs() = default;
    // domain: the one of rewritten senders; secrets: the first one signs, all are believed. Without a domain
    // or a secret nothing is rewritten.
    Srs(std::string domain, std::vector<std::string> secrets);
    ~Srs();
    Srs(const Srs&) = default;
    Srs& operator=(const Srs&) = default;

    bool works() const { return !domain_.empty() && !secrets_.empty(); }
    const std::string& domain() const { return domain_; }
    // True for an address of that form in our domain, whether it is genuine or not.
    bool is_rewritten(std::string_view address) const;

    // The sender under which mail of that sender goes on. Nothing for one without a domain, of our domain, or
    // whose rewritten form would be too long. now: unix seconds.
    std::optional<std::string> rewrite(std::string_view sender, std::int64_t now) const;
    // The address behind a rewritten one. Nothing if none of our secrets made it, or it is too old.
    std::optional<std::string> reverse(std::string_view address, std::int64_t now) const;

  private:
    static std::string hash(std::string_view secret, std::string_view text);
    bool is_genuine(std::string_view said, std::string_view text) const;
    std::optional<std::string> reverse_first(std::string_view rest, std::int64_t now) const;
    std::optional<std::string> reverse_next(std::string_view rest) const;

    std::string domain_{};
    std::vector<std::string> secrets_{};
};

}  // namespace relais::local
