// What a session does not even offer to its server, for it is known beforehand that it cannot take it.
#include "mail/address.h"
#include "mail/utf8_address.h"
#include "remote/path.h"
#include "remote/requiretls.h"
#include "remote/session.h"

namespace relais::remote {

// What need not be asked: the server has said that it cannot take this message.
std::optional<Verdict> Session::refuse_unsent(Message& message, const std::string& sender,
                                              const DsnRequest& dsn) const {
    // Whoever stores it on this host, by LMTP, sends it nowhere.
    if (dsn.requiretls && !is_report(sender) && !settings_.lmtp &&
        !(settings_.tls.by_message && offers_what_is_asked()))
        return requiretls_not_offered(ip_);
    if (is_beyond(sender)) return Verdict{Letter::permanent, no_smtp_utf8("the sender's address")};
    if (dsn.smtputf8 && !extensions_.smtp_utf8 && message.scan().eight_bit_header)
        return Verdict{Letter::permanent, no_smtp_utf8("the header of the message")};
    if (settings_.strict_8bit && !extensions_.eight_bit_mime && message.scan().eight_bit)
        return Verdict{Letter::permanent,
                       "Connected to " + ip_ +
                           " but it does not take 8-bit messages, and control/strict8bit is set. (#5.6.3)\n"};
    // A server of LMTP delivers it now.
    if (!settings_.lmtp)
        if (auto late = refuse_late(ip_, extensions_, dsn)) return late;
    if (extensions_.size_limit > 0 && message.scan().wire_size > extensions_.size_limit)
        return Verdict{Letter::permanent, "Connected to " + ip_ +
                                              " but the message is too large for it: it takes " +
                                              std::to_string(extensions_.size_limit) + " octets. (#5.3.4)\n"};
    return std::nullopt;
}

// Of a recipient that the server is not asked about.
std::optional<send::RecipientReport> Session::refuse_unasked(const std::string& recipient) const {
    if (!fits_in_path(recipient)) return unsayable_recipient();
    if (is_beyond(recipient))
        return send::RecipientReport{send::Outcome::permanent, no_smtp_utf8("this address")};
    return std::nullopt;
}

bool Session::is_beyond(std::string_view address) const {
    return !extensions_.smtp_utf8 && !mail::ascii_address(address);
}

std::string Session::path_of(const std::string& address) const {
    const auto plain = extensions_.smtp_utf8 ? std::nullopt : mail::ascii_address(address);
    return path(plain ? *plain : address);
}

std::string Session::no_smtp_utf8(std::string_view what) const {
    return "Connected to " + ip_ + " but " + std::string(what) +
           " has letters beyond US-ASCII, and it does not offer SMTPUTF8. (#5.6.7)\n";
}

// What becomes of a message when the server is to be asked about nobody.
std::optional<Result> Session::refuse_all(const std::vector<std::string>& recipients) const {
    Result result;
    for (const std::string& recipient : recipients) {
        auto refused = refuse_unasked(recipient);
        if (!refused) return std::nullopt;
        result.recipients.push_back(*std::move(refused));
    }
    result.message = {Letter::permanent, "Giving up on " + ip_ + ".\n"};
    return result;
}

}  // namespace relais::remote
