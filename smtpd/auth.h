// AUTH (RFC 4954): which mechanisms a session offers to whom, and the dialogue of one login. It knows no
// secret: whether a login is right is asked of a LoginAuthority.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sasl/server.h"
#include "smtpd/channel.h"
#include "smtpd/settings.h"

namespace relais::smtpd {

// Where logins are checked, and what can be checked there.
class LoginAuthority : public sasl::Authority {
  public:
    struct Offers {
        bool password = false;  // somebody has one: PLAIN, LOGIN
        bool cram = false;      // somebody's secret is stored: CRAM-MD5
        bool scram = false;     // somebody has a verifier
        bool bearer = false;    // tokens can be validated
    };
    virtual Offers offers() = 0;
    // Whose logins these are from now on: the address of a client for whom a front end speaks.
    virtual void set_client(const std::string& /*ip*/) {}
};

// How safe the way between the client and us is.
struct Way {
    bool encrypted = false;
    bool loopback = false;
    std::vector<sasl::ChannelBinding> bindings{};
};

class Auth {
  public:
    // Borrows all of them.
    // bare_lines: a line may end in LF alone (FIXCRIO).
    Auth(Channel& channel, const Settings& settings, LoginAuthority& authority, bool bare_lines)
        : channel_(channel), settings_(settings), authority_(authority), bare_lines_(bare_lines) {}

    // What EHLO says behind "AUTH ": names with blanks between them, in the order of control/authmechanisms;
    // empty if nothing is to be had. keen: also when the authority does not say what it has (it may be back
    // in a moment).
    std::string offered(const Way& way, bool keen);

    struct Outcome {
        std::string reply;
        std::string why{};      // for the log
        std::string user{};     // as the client named itself
        std::string account{};  // whose login this is; empty unless the reply is 235
        bool failed = false;    // it was not who it said, or that was not even looked at
    };
    // Holds the dialogue; argument is what follows AUTH. Throws ClientLost.
    Outcome run(std::string_view argument, const Way& way);

  private:
    bool is_configured(sasl::Mechanism mechanism) const;
    bool is_allowed(sasl::Mechanism mechanism, const Way& way) const;
    sasl::Server::Step converse(sasl::Server& server, std::optional<std::string_view> initial);
    std::optional<Secret> read_answer();

    Channel& channel_;
    const Settings& settings_;
    LoginAuthority& authority_;
    bool bare_lines_;
    std::string trouble_;  // the reply to a line that ended the dialogue before its time
};

}  // namespace relais::smtpd
