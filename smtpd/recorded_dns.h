// What DNS has answered to the checks of a transaction: for the record of its refusal or its acceptance.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "authres/dns.h"

namespace relais::smtpd {

// Asks another one, and keeps the first answers as texts of printable ASCII: "TXT example.org: v=spf1 -all
// (300 s)", with the seconds that the answer may still be kept.
class RecordedDns final : public authres::Dns {
  public:
    static constexpr std::size_t most_answers = 12;
    static constexpr std::size_t longest_text = 120;

    // Borrows it.
    explicit RecordedDns(authres::Dns& dns) : dns_(dns) {}
    std::vector<net::DnsAnswer> ask_all(std::span<const net::DnsQuestion> questions,
                                        Deadline deadline) override;
    std::vector<std::vector<net::DnsAnswer>> ask_apart(std::span<const std::vector<net::DnsQuestion>> groups,
                                                       Deadline deadline) override;

    const std::vector<std::string>& said() const { return said_; }
    // Another transaction begins.
    void forget() { said_.clear(); }

  private:
    void keep(const net::DnsQuestion& question, const net::DnsAnswer& answer);

    authres::Dns& dns_;
    std::vector<std::string> said_{};
};

}  // namespace relais::smtpd
