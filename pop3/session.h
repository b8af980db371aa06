// A POP3 session from the login to QUIT: the TRANSACTION and UPDATE states of RFC 1939.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/io.h"
#include "pop3/command.h"
#include "pop3/maildir.h"

namespace relais::pop3 {

class Session {
  public:
    // Borrows everything. Reads commands from input, writes answers to output; waits at most timeout for the
    // client each time.
    Session(int input, int output, Maildir& maildir, std::chrono::seconds timeout)
        : reader_(input), output_(output), maildir_(maildir), timeout_(timeout) {}
    // UTF8 (RFC 6856) is said to be there.
    void offer_utf8() { utf8_ = true; }

    // Says that the login was right, then serves until QUIT, the end of the input or a time-out; only QUIT
    // removes messages. Throws Error when the client cannot be written to.
    void run();

  private:
    void handle(const Command& command);
    void stat();
    void list(std::string_view argument);
    void uidl(std::string_view argument);
    void retrieve(std::string_view argument);
    void top(std::string_view argument);
    void mark_deleted(std::string_view argument);
    void reset();
    void quit();
    void capabilities();
    // The message with that number; nullptr if there is none, which the client has been told then.
    StoredMessage* message_of(std::string_view argument);
    StoredMessage* message_of(std::uint64_t number);
    bool send_message(StoredMessage& message, std::uint64_t body_lines);
    void bad_command(std::string_view why);
    void say(std::string_view text);
    void flush();
    Deadline deadline() const { return Deadline::in(timeout_); }

    Reader reader_;
    int output_;
    Maildir& maildir_;
    std::chrono::seconds timeout_;
    std::string pending_;
    unsigned bad_commands_ = 0;
    bool ended_ = false;
    bool utf8_ = false;
};

}  // namespace relais::pop3
