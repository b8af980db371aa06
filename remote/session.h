// An SMTP session as its client (RFC 5321; SIZE: RFC 1870; 8BITMIME: RFC 6152; PIPELINING: RFC 2920;
// STARTTLS: RFC 3207; AUTH: RFC 4954), or of LMTP (RFC 2033): one connection, any number of messages. It
// decides what each answer means for the message and its recipients, in qmail-remote's words.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "remote/credentials.h"
#include "remote/encryption.h"
#include "remote/login.h"
#include "remote/message.h"
#include "remote/report.h"
#include "remote/wire.h"

namespace relais::remote {

struct SessionSettings {
    std::string helo_host;
    Seconds timeout{1200};             // for each reply, and for each 64 KiB written
    bool strict_8bit = false;          // an 8-bit message is refused if the server does not offer 8BITMIME
    Encryption* encryption = nullptr;  // borrowed; nothing: no TLS
    TlsPolicy tls{};
    std::string server_name{};                         // for its certificate
    std::shared_ptr<const Credentials> credentials{};  // nothing is sent before they have been accepted
    std::optional<sasl::Mechanism> first_mechanism{};  // to log in with, before the usual ones
    Seconds greeting{300};                             // for that one reply
    Deadline opening_ends = Deadline::never();         // for everything before MAIL
    std::string clear_words{};                         // for the report of what goes in clear; "" for nothing
    bool lmtp = false;                                 // RFC 2033: LHLO, and a reply for each recipient
    bool tls_not_required = false;                     // as the message says: for the report
};

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

class Session {
  public:
    // ip: the server's address, for the reports.
    Session(Fd fd, std::string ip, SessionSettings settings)
        : wire_(std::move(fd)), ip_(std::move(ip)), settings_(std::move(settings)) {}

    struct Opening {
        std::optional<Verdict> refused;  // this server cannot be used
        bool retry_without_tls = false;  // it could not speak TLS after all, and need not
        bool hung_in_tls = false;        // which took long to find out
        bool login_refused = false;      // it has judged our login: so will its other addresses
        bool silent = false;             // its time was over
        bool tls_failed = false;         // it does not speak TLS, or not so that it could be used
    };
    // Reads the greeting, says EHLO, or HELO where that is not understood, switches to TLS and logs in, as
    // the settings ask.
    Opening open();
    // The mechanism that logged us in after the server had refused the password with another one.
    const std::optional<sasl::Mechanism>& second_choice() const { return second_choice_; }

    struct Attempt {
        Result result;
        bool nothing_taken =
            false;  // the server had gone, or went, before it answered MAIL: may be tried again elsewhere
    };
    // One message. Never throws; recipients are asked about in order.
    Attempt send(const std::string& sender, const std::vector<std::string>& recipients, Message& message,
                 const DsnRequest& dsn = {});

    // True if another message may be sent: the last one left the session in order. When an idle server speaks
    // or closes, fd() becomes readable; is_there() tells whether that means its end.
    bool usable() { return in_step_ && (wire_.tls() == nullptr ? wire_.is_answered() : wire_.is_quiet()); }
    bool is_there() { return in_step_ && wire_.is_quiet(); }
    int fd() const { return wire_.fd(); }
    bool encrypted() const { return wire_.tls() != nullptr; }
    // As the server said them last.
    const Extensions& extensions() const { return extensions_; }
    // Says QUIT without waiting for an answer.
    void quit();

  private:
    struct Transaction;

    // Of one wait: timeout at most, and not beyond the end of this part of the session.
    Deadline deadline() const { return earlier(Deadline::in(settings_.timeout), end_); }
    void end_in(Seconds more) { end_ = Deadline::in(replies_at_worst * settings_.timeout + more); }
    Reply command(const std::string& line);
    void require_silence() const;
    std::optional<Verdict> say_hello();
    Opening open_in_order();
    Opening secure_by_command();
    Opening secure();
    Opening not_encrypted(const std::string& what, std::string_view status, const Reply& reply = {}) const;
    bool offers_what_is_asked() const;
    Opening not_opened(bool greeted, const Error& error) const;
    Opening authenticate();
    Verdict unusable(std::string_view what, std::string_view status, const Reply& reply = {}) const;
    Verdict verdict(Letter letter, std::string_view what, const Reply& reply) const;
    Verdict connection_lost(const Error& error, bool sending, bool critical) const;
    Verdict not_understood(const Reply& reply, bool critical) const;
    std::optional<Verdict> refuse_unsent(Message& message, const std::string& sender,
                                         const DsnRequest& dsn) const;
    // Of a message that is to come back where it cannot be delivered in time.
    std::optional<Verdict> refuse_late(const DsnRequest& dsn) const;
    // As this server can be told: it knows no UTF-8, and A-labels may do.
    std::string path_of(const std::string& address) const;
    std::optional<send::RecipientReport> refuse_unasked(const std::string& recipient) const;
    std::optional<Result> refuse_all(const std::vector<std::string>& recipients) const;
    std::string no_smtp_utf8(std::string_view what) const;
    // Whether the server is not told of an address, for it knows no UTF-8.
    bool is_beyond(std::string_view address) const;
    std::string mail_command(const std::string& sender, bool smtp_utf8, Message& message,
                             const DsnRequest& dsn) const;
    std::string rcpt_command(const Transaction& transaction, std::size_t index) const;
    void send_pipelined(Transaction& transaction);
    void send_stepwise(Transaction& transaction);
    bool take_mail_reply(Transaction& transaction, const Reply& reply);
    void take_recipient_reply(Transaction& transaction, std::optional<send::RecipientReport> refused,
                              const Reply& reply);
    void take_data_reply(Transaction& transaction, const Reply& reply);
    void send_data(Transaction& transaction);
    std::string protection(const std::string& signed_by) const;
    std::string promise() const;
    void take_final_reply(Transaction& transaction, const Reply& reply);
    void take_final_replies(Transaction& transaction);

    Wire wire_;
    std::string ip_;
    SessionSettings settings_;
    Extensions extensions_;
    std::string protection_;  // how it is encrypted
    std::string session_key_;
    std::string login_;  // the mechanism that logged us in
    std::optional<sasl::Mechanism> second_choice_;
    // A server that takes almost the whole time for every reply does not hold a process for days.
    static constexpr int replies_at_worst = 4;
    Deadline end_ = Deadline::never();
    bool in_step_ = false;
    bool reset_needed_ = false;
    bool tls_failed_ = false;
};

}  // namespace relais::remote
