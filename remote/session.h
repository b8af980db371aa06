// An SMTP session as its client (RFC 5321; SIZE: RFC 1870; 8BITMIME: RFC 6152; PIPELINING: RFC 2920): one connection,
// any number of messages. It decides what each answer means for the message and its recipients, in qmail-remote's words.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "remote/message.h"
#include "remote/report.h"
#include "remote/wire.h"

namespace relais::remote {

struct SessionSettings {
    std::string helo_host;
    Seconds timeout{1200};     // for each reply, and for each 64 KiB written
    bool strict_8bit = false;  // an 8-bit message is refused if the server does not offer 8BITMIME
};

class Session {
  public:
    // ip: the server's address, for the reports.
    Session(Fd fd, std::string ip, SessionSettings settings)
        : wire_(std::move(fd)), ip_(std::move(ip)), settings_(std::move(settings)) {}

    // Reads the greeting and says EHLO, or HELO where that is not understood. The verdict if this server cannot be used.
    std::optional<Verdict> open();

    struct Attempt {
        Result result;
        bool nothing_taken =
            false;  // the server had gone, or went, before it answered MAIL: may be tried again elsewhere
    };
    // One message. Never throws; recipients are asked about in order.
    Attempt send(const std::string& sender, const std::vector<std::string>& recipients, Message& message);

    // True if another message may be sent: the last one left the session in order. When an idle server speaks or closes,
    // fd() becomes readable; is_there() tells whether that means its end.
    bool usable() const { return in_step_ && wire_.is_answered(); }
    bool is_there() { return in_step_ && wire_.is_quiet(); }
    int fd() const { return wire_.fd(); }
    // Says QUIT without waiting for an answer.
    void quit();

  private:
    struct Transaction;

    Deadline deadline() const { return Deadline::in(settings_.timeout); }
    Reply command(const std::string& line);
    Verdict verdict(Letter letter, std::string_view what, const Reply& reply) const;
    Verdict connection_died(bool critical) const;
    std::optional<Verdict> refuse_unsent(Message& message, const std::string& sender) const;
    std::string mail_command(const std::string& sender, Message& message) const;
    void send_pipelined(Transaction& transaction);
    void send_stepwise(Transaction& transaction);
    bool take_mail_reply(Transaction& transaction, const Reply& reply);
    void take_recipient_reply(Transaction& transaction, const Reply& reply);
    void take_data_reply(Transaction& transaction, const Reply& reply);
    void send_data(Transaction& transaction);
    void take_final_reply(Transaction& transaction, const Reply& reply);

    Wire wire_;
    std::string ip_;
    SessionSettings settings_;
    Extensions extensions_;
    bool in_step_ = false;
    bool reset_needed_ = false;
};

}  // namespace relais::remote
