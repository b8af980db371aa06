// The AUTHORIZATION state of RFC 1939: from the greeting to the moment when the client has named itself.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/deadline.h"
#include "pop3/command.h"

namespace relais::pop3 {

// Takes lines from a descriptor and never more than a line: what a client sends ahead belongs to the program
// that serves it after the login. From a socket it looks first and then takes; from anything else it takes
// single octets.
class LineTaker {
  public:
    explicit LineTaker(int fd) : fd_(fd) {}
    // The line without its end, CR included; of one longer than line_limit so much of its beginning that this
    // shows. Nothing when the client has gone, the time is over, or a line does not end within 64 KiB. Throws
    // Error.
    std::optional<std::string> take(Deadline deadline);

  private:
    bool take_some(std::string& line, Deadline deadline);

    int fd_;
    bool is_socket_ = true;
};

struct Credentials {
    std::string user;
    std::string secret;  // password, or APOP digest
    bool by_digest = false;
};

class Login {
  public:
    // Borrows the descriptors. challenge: the time stamp of the greeting, with its brackets; apop: whether
    // the client was told it.
    Login(int input, int output, std::string host, std::string challenge, bool apop,
          std::chrono::seconds timeout)
        : taker_(input),
          output_(output),
          host_(std::move(host)),
          challenge_(std::move(challenge)),
          apop_(apop),
          timeout_(timeout) {}

    // Passwords would travel in clear: USER and PASS are refused, APOP is not.
    void refuse_passwords() { passwords_ = false; }
    // STLS is offered (RFC 2595): if prepare says that it can be, "+OK" goes out, and start makes the
    // descriptors an encrypted client's, or throws.
    void offer_tls(std::function<bool()> prepare, std::function<void()> start) {
        prepare_tls_ = std::move(prepare);
        start_tls_ = std::move(start);
    }
    // UTF8 (RFC 6856) is offered.
    void offer_utf8() { utf8_ = true; }
    // The descriptors are an encrypted client's from the beginning, or since STLS.
    void set_encrypted() {
        encrypted_ = true;
        start_tls_ = nullptr;
        passwords_ = true;
    }
    bool encrypted() const { return encrypted_; }

    // Greets, and answers until the client has given user and password, or an APOP digest: that is not
    // answered yet. Nothing when the client has gone, quit, sent too much nonsense or waited too long. Throws
    // Error.
    std::optional<Credentials> run();
    // The answer to a login that was not taken.
    void say(std::string_view text);

  private:
    enum class Next { go_on, close, credentials };
    Next handle(const Command& command);
    Next start_tls();
    Next bad(std::string_view why);

    LineTaker taker_;
    int output_;
    bool utf8_ = false;
    std::string host_;
    std::string challenge_;
    bool apop_;
    bool passwords_ = true;
    std::chrono::seconds timeout_;
    Credentials credentials_;
    unsigned bad_commands_ = 0;
    std::function<bool()> prepare_tls_;
    std::function<void()> start_tls_;
    bool encrypted_ = false;
};

// A time stamp that no other session has: "<PID.TIME.RANDOM@HOST>".
std::string new_challenge(std::string_view host);

}  // namespace relais::pop3
