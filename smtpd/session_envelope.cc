// What a session says of a message beside its addresses.
#include "mail/utf8_address.h"
#include "smtpd/session.h"

namespace relais::smtpd {

mail::Envelope Session::Transaction::envelope() const {
    mail::Envelope envelope{sender, {}, options};
    for (std::size_t i = 0; i < recipients.size(); ++i)
        envelope.recipients.push_back({recipients[i], recipient_options[i]});
    return envelope;
}

std::optional<std::string_view> Session::wrong_letters(std::string_view address, bool smtputf8) const {
    if (!settings_.smtputf8 || mail::is_ascii(address)) return std::nullopt;
    if (!smtputf8) return "553 sorry, letters beyond US-ASCII in an address need SMTPUTF8 (#5.6.7)";
    if (mail::is_utf8_address(address)) return std::nullopt;
    return verb_ == "MAIL" ? "553 sorry, this address is no UTF-8 that I can write (#5.1.7)"
                           : "553 sorry, this address is no UTF-8 that I can write (#5.1.3)";
}

bool Session::may_ask_dsn() const {
    if (!settings_.dsn_from) return false;
    return is_trusted() || client_.submission || settings_.dsn_from->match(client_.ip);
}

mail::Submitter Session::submitter() {
    using Kind = mail::Submitter::Kind;
    if (client_.user) return {Kind::login, *client_.user, policy_.senders_of(*client_.user)};
    if (client_.certificate) return {Kind::certificate, *client_.certificate, client_.may_use};
    if (client_.relayclient) return {Kind::rule, client_.ip, client_.may_use};
    return {};
}

// RCPT asks for foreign recipients alone, and this is for mail to our own.
mail::Submitter Session::submitter_by_open_smtp() {
    const auto finding = of_controls([&] { return policy_.find_open_smtp(client_); });
    if (!finding.live) return {};
    return {mail::Submitter::Kind::open_smtp, finding.entry->user};
}

}  // namespace relais::smtpd
