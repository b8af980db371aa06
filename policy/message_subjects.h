// What lists in DNS are asked about of a message that passes by: the hosts of the URIs in its text, and the
// addresses in From and Reply-To. Everything is from a stranger; what is kept is bounded. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "mail/observer.h"

namespace relais::policy {

class MessageSubjects : public mail::MessageObserver {
  public:
    // Further ones are not asked about.
    static constexpr std::size_t most_hosts = 20;
    static constexpr std::size_t most_addresses = 10;
    // Octets of a message that are looked at.
    static constexpr std::size_t looked_at = std::size_t{2} << 20;

    // The message in pieces, its lines ended by LF or CR LF.
    void add(std::string_view text) override;
    void finish();

    // Each once, in lower case, with A-labels.
    const std::vector<std::string>& hosts() const { return hosts_; }
    const std::vector<std::string>& addresses() const { return addresses_; }

  private:
    enum class Encoding { none, base64, quoted_printable };

    void take_line(std::string_view line);
    void take_header_line(std::string_view line);
    void end_field();
    void take_body_line(std::string_view line);
    // What a reader sees, in pieces; whole: nothing more belongs to it.
    void look_at(std::string_view text, bool whole);
    void take_uri(std::string_view authority);

    std::size_t size_ = 0;
    std::string line_{};
    std::string field_{};    // with its folds
    std::string encoded_{};  // of base64: what four letters are not yet there of
    std::string shown_{};    // what has been decoded and not yet looked at
    bool in_header_ = true;
    bool of_message_ = true;  // its own header, not that of a part
    bool is_text_ = true;
    Encoding encoding_ = Encoding::none;
    std::vector<std::string> boundaries_{};
    std::vector<std::string> hosts_{};
    std::vector<std::string> addresses_{};
};

// The names that lists of domains may know a host by: itself, and its last two and three labels. Each once,
// in the order of the hosts.
std::vector<std::string> names_of_hosts(const std::vector<std::string>& hosts, std::size_t most);
// SHA-1 of the address in lower case, in hexadecimal. Throws Error.
std::string address_hash(std::string_view address);

}  // namespace relais::policy
