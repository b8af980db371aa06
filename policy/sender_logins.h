// control/senderlogins: which senders a login may use. The first line says off, warn or enforce; each other
// one is a login and what it may use beside its own address:
//
//   enforce
//   anna@example.org   anna.smith@example.org @anna.example
//   newsletter@example.org *
//   *                  office@example.org
//
// A login may always use its own address, with an extension too (anna-lists@example.org), and the null
// sender. "@domain" is every address there, "*" every address at all; the login "*" stands for all of them.
// Case does not count. Pure but for reading.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace relais::policy {

class SenderLogins {
  public:
    enum class Mode { off, warn, enforce };

    SenderLogins() = default;
    // The lines of the file, comments taken out. A first line that is no mode counts as off.
    explicit SenderLogins(const std::vector<std::string>& lines);

    Mode mode() const { return mode_; }
    // account: in its one spelling, user@domain in lower case.
    bool may_use(std::string_view account, std::string_view sender) const;
    // Addresses, "@domain" or "*" that a login may use in From where mail is signed: what the file lists, and
    // its own address, or its whole domain where nothing is enforced.
    std::vector<std::string> senders_of(std::string_view account) const;

  private:
    bool lists(const std::string& login, std::string_view sender) const;

    Mode mode_ = Mode::off;
    std::unordered_map<std::string, std::vector<std::string>> senders_;
};

}  // namespace relais::policy
