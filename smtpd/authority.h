// qmail-authd as the one that knows who may log in.
#pragma once

#include <optional>
#include <string>

#include "auth/protocol.h"
#include "control/home.h"
#include "smtpd/auth.h"

namespace relais::smtpd {

// What whoever forks for each client knows already (kept_offers.h).
struct KnownOffers {
    std::optional<LoginAuthority::Offers> offers{};
    bool sure = false;  // else good only where qmail-authd does not answer soon
};

// The words of an answer to RequestKind::methods.
LoginAuthority::Offers parse_offers(std::string_view words);

class AuthdAuthority : public LoginAuthority {
  public:
    // client: its address. Borrows home and known.
    AuthdAuthority(const control::Home& home, std::string client, const KnownOffers& known)
        : home_(home), client_(std::move(client)), known_(known) {}

    // Asked for once, if at all: the EHLO before STARTTLS and the one behind it get the same.
    Offers offers() override;
    void set_client(const std::string& ip) override { client_ = ip; }
    Verdict check_password(std::string_view user, std::string_view password) override;
    Verdict check_cram(std::string_view user, std::string_view challenge, std::string_view digest) override;
    Salt find_salt(std::string_view user) override;
    Verdict check_scram(std::string_view user, std::string_view messages, std::string_view proof) override;
    Verdict check_token(sasl::Mechanism mechanism, std::string_view user, std::string_view token) override;

  private:
    auth::Answer ask(auth::RequestKind kind, std::string_view user, std::string_view challenge,
                     std::string_view secret) const;
    Verdict verdict(auth::RequestKind kind, std::string_view user, std::string_view challenge,
                    std::string_view secret) const;

    const control::Home& home_;
    std::string client_;
    const KnownOffers& known_;
    std::optional<Offers> offers_;
};

}  // namespace relais::smtpd
