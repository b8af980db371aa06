// Signing a message on its way out (DKIM, RFC 6376): in whose name, and the fields that go before it.
//
// A signature says that a domain stands for the message. So d= is the domain in From only where whoever
// submitted the message may use that address; else it is a domain of the submitter's own, or nothing is
// signed.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "authres/message.h"
#include "base/deadline.h"
#include "keyd/mail_client.h"
#include "mail/envelope.h"
#include "remote/message.h"

namespace relais::remote {

// The domains in whose name the message may be signed, the best first, lower case, by A-label. Pure.
std::vector<std::string> signing_domains(const authres::MessageHeader& header,
                                         const mail::Submitter& submitter);

// What an order says of the signing of its message.
struct SigningLeave {
    mail::Submitter submitter{};
    std::string token{};  // keyd/mail_token.h; empty: nothing is signed
};

class MailSigner {
  public:
    explicit MailSigner(control::Home home) : keys_(std::move(home)) {}

    // Reads the message in the form that goes over the wire, and puts its signatures, one with each of the
    // domain's keys, before it. A message that cannot be signed (no From, no key for any of its domains)
    // stays as it is. Throws Error: the message cannot be read, qmail-keyd cannot be asked, or said no.
    void sign(Message& message, const SigningLeave& leave, Deadline deadline);

  private:
    keyd::MailKeyClient keys_;
};

}  // namespace relais::remote
