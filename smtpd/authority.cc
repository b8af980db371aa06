#include "smtpd/authority.h"

#include "base/text.h"
#include "sasl/base64.h"

namespace relais::smtpd {
namespace {

using auth::RequestKind;

// A wrong login waits for those before it from the same address, and then up to 16 seconds.
constexpr std::chrono::seconds login_patience{180};
constexpr std::chrono::seconds offers_patience{5};
// Where there is an old answer to fall back on.
constexpr std::chrono::seconds guess_patience{1};

}  // namespace

auth::Answer AuthdAuthority::ask(RequestKind kind, std::string_view user, std::string_view challenge,
                                 std::string_view secret) const {
    const auto patience = kind != RequestKind::methods ? login_patience
                          : known_.offers              ? guess_patience
                                                       : offers_patience;
    return auth::ask(home_, {kind, user, "smtp", client_, challenge, secret}, Deadline::in(patience),
                     auth::smtp_socket);
}

sasl::Authority::Verdict AuthdAuthority::verdict(RequestKind kind, std::string_view user,
                                                 std::string_view challenge, std::string_view secret) const {
    auth::Answer answer = ask(kind, user, challenge, secret);
    switch (answer.result) {
        case auth::Result::right:
            return {Result::right, std::move(answer.name), std::move(answer.text)};
        case auth::Result::refused:
            return {Result::refused, "", std::move(answer.text)};
        case auth::Result::temporary:
            break;
    }
    return {Result::temporary, "", std::move(answer.text)};
}

LoginAuthority::Offers parse_offers(std::string_view words) {
    LoginAuthority::Offers offers;
    for (const std::string_view word : split(words, ' ')) {
        offers.password = offers.password || word == auth::offers_password;
        offers.cram = offers.cram || word == auth::offers_challenge;
        offers.scram = offers.scram || word == auth::offers_scram;
        offers.bearer = offers.bearer || word == auth::offers_bearer;
    }
    return offers;
}

LoginAuthority::Offers AuthdAuthority::offers() {
    if (known_.sure) return *known_.offers;
    if (offers_) return *offers_;
    const auth::Answer answer = ask(RequestKind::methods, "", "", "");
    offers_ =
        answer.result == auth::Result::right ? parse_offers(answer.text) : known_.offers.value_or(Offers{});
    return *offers_;
}

sasl::Authority::Verdict AuthdAuthority::check_password(std::string_view user, std::string_view password) {
    return verdict(RequestKind::password, user, "", password);
}

sasl::Authority::Verdict AuthdAuthority::check_cram(std::string_view user, std::string_view challenge,
                                                    std::string_view digest) {
    return verdict(RequestKind::cram_md5, user, challenge, digest);
}

sasl::Authority::Salt AuthdAuthority::find_salt(std::string_view user) {
    const auth::Answer answer = ask(RequestKind::scram_salt, user, "", "");
    const auto words = split(answer.text, ' ');
    if (answer.result != auth::Result::right || words.size() != 2) return {};
    const auto iterations = parse_number(words[0]);
    auto salt = sasl::decode_base64(words[1]);
    if (!iterations || !salt) return {};
    return {true, *std::move(salt), static_cast<unsigned>(*iterations)};
}

sasl::Authority::Verdict AuthdAuthority::check_scram(std::string_view user, std::string_view messages,
                                                     std::string_view proof) {
    Verdict result = verdict(RequestKind::scram_proof, user, messages, sasl::encode_base64(proof));
    if (result.result != Result::right) return result;
    auto signature = sasl::decode_base64(result.text);
    if (!signature) return {Result::temporary, "", "qmail-authd gave an answer of another form"};
    result.text = *std::move(signature);
    return result;
}

sasl::Authority::Verdict AuthdAuthority::check_token(sasl::Mechanism mechanism, std::string_view user,
                                                     std::string_view token) {
    return verdict(RequestKind::token, user, sasl::name_of(mechanism), token);
}

}  // namespace relais::smtpd
