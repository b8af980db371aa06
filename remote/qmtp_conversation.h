// QMTP (qmtp/protocol.h) as its client: one package a message, and an answer for each recipient. The server
// says nothing before, offers nothing, and knows no TLS.
#pragma once

#include <string>
#include <vector>

#include "remote/conversation.h"
#include "remote/wire.h"

namespace relais::remote {

class QmtpConversation final : public Conversation {
  public:
    // ip, server: its address and name, for the reports. timeout: for each answer, and for each 64 KiB
    // written.
    QmtpConversation(Fd fd, std::string ip, std::string server, Seconds timeout)
        : wire_(std::move(fd)), ip_(std::move(ip)), server_(std::move(server)), timeout_(timeout) {}

    Opening open() override { return {}; }
    // The text is what a server of SMTP would have when it has taken away added dots: a signature holds.
    Attempt send(const std::string& sender, const std::vector<std::string>& recipients, Message& message,
                 const DsnRequest& dsn) override;

    bool usable() override { return in_step_ && wire_.is_quiet(); }
    bool is_there() override { return usable(); }
    int fd() const override { return wire_.fd(); }
    bool encrypted() const override { return false; }
    const Extensions* extensions() const override { return nullptr; }
    void quit() override { in_step_ = false; }

  private:
    struct Transaction;

    void send_package(Transaction& transaction);
    std::string read_answer(Deadline deadline);
    void take_answers(Transaction& transaction);
    void decide(Transaction& transaction, const Reply& accepted) const;

    Wire wire_;
    std::string ip_;
    std::string server_;
    Seconds timeout_;
    bool in_step_ = true;
};

}  // namespace relais::remote
