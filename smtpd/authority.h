// qmail-authd as the one that knows who may log in.
#pragma once

#include <optional>
#include <string>

#include "auth/protocol.h"
#include "control/home.h"
#include "smtpd/auth.h"

namespace relais::smtpd {

class AuthdAuthority : public LoginAuthority {
  public:
    // client: its address. Borrows home.
    AuthdAuthority(const control::Home& home, std::string client) : home_(home), client_(std::move(client)) {}

    // Asked for until there is an answer: the EHLO before STARTTLS and the one behind it get the same.
    Offers offers() override;
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
    std::optional<Offers> offers_;
};

}  // namespace relais::smtpd
