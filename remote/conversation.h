// A connection to a server over which messages go, one after the other, whatever the two speak: SMTP and
// LMTP (remote/session.h), QMTP (remote/qmtp_conversation.h). It decides what each answer means for the
// message and its recipients, in qmail-remote's words.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/deadline.h"
#include "base/error.h"
#include "mail/envelope.h"
#include "remote/message.h"
#include "remote/report.h"
#include "remote/smtp_reply.h"
#include "sasl/mechanism.h"

namespace relais::remote {

// What the sender asks of reports on deliveries (RFC 3461), said to a server that offers DSN; and what else
// he said of the message.
struct DsnRequest {
    mail::Ret ret = mail::Ret::unsaid;
    std::string envid{};                               // xtext
    std::vector<mail::RecipientOptions> recipients{};  // of each, or none
    bool smtputf8 = false;                             // the message came with SMTPUTF8 (RFC 6531)
    std::optional<mail::DeliverBy> by{};               // RFC 2852
    int priority = 0;                                  // RFC 6710
    bool requiretls = false;                           // it came with REQUIRETLS (RFC 8689)
};

// What reports quote of a server's words: "Remote host said: ...", with LF; empty if it has said none.
std::string quoted(const Reply& reply);
// The same in one line, for reports.
std::string diagnostic_of(const Reply& reply);

// It hung up, or its time is over. sending: it was to take the message; critical: it may have all of it.
Verdict connection_lost(const std::string& ip, const Error& error, bool sending, bool critical);
// RFC 2852: only who promises the same may have a message that is to come back where it cannot be delivered
// in time. Nothing if this server may.
std::optional<Verdict> refuse_late(const std::string& ip, const Extensions& offered, const DsnRequest& dsn);
// When a message must have gone, however often the server speaks up in between. octets: its size.
Deadline end_of_transaction(Seconds timeout, std::uint64_t octets, std::size_t recipients);
// A server that takes almost the whole time for every reply does not hold a process for days.
inline constexpr int replies_at_worst = 4;

class Conversation {
  public:
    Conversation() = default;
    virtual ~Conversation() = default;
    Conversation(const Conversation&) = delete;
    Conversation& operator=(const Conversation&) = delete;

    struct Opening {
        std::optional<Verdict> refused{};  // this server cannot be used
        bool retry_without_tls = false;    // it could not speak TLS after all, and need not
        bool hung_in_tls = false;          // which took long to find out
        bool login_refused = false;        // it has judged our login: so will its other addresses
        bool silent = false;               // its time was over
        bool tls_failed = false;           // it does not speak TLS, or not so that it could be used
        // That logged us in after the server had refused the password with another one.
        std::optional<sasl::Mechanism> second_choice{};
    };
    // What comes before the first message.
    virtual Opening open() = 0;

    struct Attempt {
        Result result;
        bool nothing_taken =
            false;  // the server had gone, or went, before it can have taken anything: may be
                    // tried again elsewhere
    };
    // One message. Never throws; recipients are asked about in order.
    virtual Attempt send(const std::string& sender, const std::vector<std::string>& recipients,
                         Message& message, const DsnRequest& dsn) = 0;

    // True if another message may be sent: the last one left the conversation in order. When an idle server
    // speaks or closes, fd() becomes readable; is_there() tells whether that means its end.
    virtual bool usable() = 0;
    virtual bool is_there() = 0;
    virtual int fd() const = 0;
    virtual bool encrypted() const = 0;
    // What the server offers, as it said last; null where nobody says such a thing.
    virtual const Extensions* extensions() const = 0;
    // Ends it without waiting for an answer.
    virtual void quit() = 0;
};

}  // namespace relais::remote
