// Whose names the messages that leave may bear (DKIM): what qmail-send says of it in an order. It names the
// domains, qmail-keyd signs for these and no others, and qmail-remote chooses among them by From.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "control/home.h"
#include "mail/envelope.h"

namespace relais::send {

// control/dkimusers: "USER: DOMAIN ..." a line, a user's name or uid, and the domains that programs of his
// may have in From. "*" is any. Lines that cannot be used are told. Pure.
std::map<std::string, std::vector<std::string>, std::less<>> parse_dkim_users(
    const std::vector<std::string>& lines, std::string_view passwd, std::vector<std::string>& mistakes);

class Signing {
  public:
    // secret: of keyd/mail_token.h; empty: nothing is signed. passwd: the text of /etc/passwd, which a
    // confined process cannot read later.
    Signing(control::Home home, std::string secret, std::string passwd)
        : home_(std::move(home)), secret_(std::move(secret)), passwd_(std::move(passwd)) {}

    // Reads control/bouncehost and control/dkimusers, and looks whether there is control/dkim. What is
    // wrong comes back, a line each. Throws Error.
    std::vector<std::string> read();

    // False: no message is signed.
    bool has_keys() const { return has_keys_; }
    // What the submitter may use is completed where the envelope does not say it: our own bounces bear
    // control/bouncehost; programs of root any name, those of others what control/dkimusers says. What the
    // token has no room for he may not use. Returns the token, "" if the message is to go unsigned. now: unix
    // seconds.
    std::string allow(mail::Submitter& submitter, std::uint64_t message, std::int64_t now) const;

  private:
    control::Home home_;
    std::string secret_;
    std::string passwd_;
    bool has_keys_ = false;
    std::string bounce_host_;
    std::map<std::string, std::vector<std::string>, std::less<>> dkim_users_;  // by uid
};

}  // namespace relais::send
