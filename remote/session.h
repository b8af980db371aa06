// An SMTP session as its client (RFC 5321; SIZE: RFC 1870; 8BITMIME: RFC 6152; PIPELINING: RFC 2920;
// STARTTLS: RFC 3207; AUTH: RFC 4954), or of LMTP (RFC 2033).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "remote/conversation.h"
#include "remote/credentials.h"
#include "remote/encryption.h"
#include "remote/login.h"
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

class Session final : public Conversation {
  public:
    // ip: the server's address, for the reports.
    Session(Fd fd, std::string ip, SessionSettings settings)
        : wire_(std::move(fd)), ip_(std::move(ip)), settings_(std::move(settings)) {}

    // Reads the greeting, says EHLO, or HELO where that is not understood, switches to TLS and logs in, as
    // the settings ask.
    Opening open() override;
    Attempt send(const std::string& sender, const std::vector<std::string>& recipients, Message& message,
                 const DsnRequest& dsn) override;

    bool usable() override {
        return in_step_ && (wire_.tls() == nullptr ? wire_.is_answered() : wire_.is_quiet());
    }
    bool is_there() override { return in_step_ && wire_.is_quiet(); }
    int fd() const override { return wire_.fd(); }
    bool encrypted() const override { return wire_.tls() != nullptr; }
    const Extensions* extensions() const override { return &extensions_; }
    // Says QUIT.
    void quit() override;

  private:
    struct Transaction;

    // Of one wait: timeout at most, and not beyond the end of this part of the session.
    Deadline deadline() const { return earlier(Deadline::in(settings_.timeout), end_); }
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
    Verdict not_understood(const Reply& reply, bool critical) const;
    std::optional<Verdict> refuse_unsent(Message& message, const std::string& sender,
                                         const DsnRequest& dsn) const;
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
    Deadline end_ = Deadline::never();
    bool in_step_ = false;
    bool reset_needed_ = false;
    bool tls_failed_ = false;
};

}  // namespace relais::remote
