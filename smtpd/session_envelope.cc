// What a session says of a message beside its addresses.
#include "smtpd/session.h"

namespace relais::smtpd {

mail::Envelope Session::Transaction::envelope() const {
    mail::Envelope envelope{sender, {}, options};
    for (std::size_t i = 0; i < recipients.size(); ++i)
        envelope.recipients.push_back({recipients[i], recipient_options[i]});
    return envelope;
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

}  // namespace relais::smtpd
