#include "explain/rehearsal.h"

#include <sys/socket.h>

#include <memory>

#include "base/error.h"
#include "base/io.h"
#include "mail/address.h"
#include "smtpd/session.h"

namespace relais::explain {
namespace {

constexpr std::size_t reply_limit = 8192;

// The client's half: says one command, lets the session run as far as it gets, and takes the last line of the
// reply.
class Client {
  public:
    Client() {
        int ends[2];
        if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
            throw_errno("make", "a socket pair");
        ours_ = Fd(ends[0]);
        theirs_ = Fd(ends[1]);
        reader_ = std::make_unique<Reader>(ours_.get());
    }
    int theirs() const { return theirs_.get(); }
    void say(const std::string& commands) {
        write_all(ours_.get(), commands, Deadline::in(Seconds(10)));
        ::shutdown(ours_.get(), SHUT_WR);
    }
    void session_has_ended() { theirs_.reset(); }
    std::string reply() {
        std::string line;
        do {
            if (reader_->read_line(line, reply_limit, Deadline::in(Seconds(10))) == Reader::Line::ended)
                return "";
            if (line.ends_with('\r')) line.pop_back();
        } while (line.size() > 3 && line[3] == '-');
        return line;
    }

  private:
    Fd ours_;
    Fd theirs_;
    std::unique_ptr<Reader> reader_;
};

// The log's line that belongs to the recipient.
bool is_about(const std::string& line, const std::string& recipient) {
    return line.find(" rcpt <" + recipient + "> ") != std::string::npos;
}

}  // namespace

Rehearsal rehearse(const policy::Client& client, const smtpd::Settings& settings, policy::Policy& policy,
                   authres::Dns& dns, const std::string& helo, const std::string& sender,
                   const std::vector<std::string>& recipients) {
    Rehearsal result;
    result.helo.command = "EHLO " + helo;
    result.mail.command = "MAIL FROM:<" + mail::quoted_address(sender) + ">";
    std::string said = result.helo.command + "\r\n" + result.mail.command + "\r\n";
    for (const std::string& recipient : recipients) {
        result.recipients.push_back({"RCPT TO:<" + mail::quoted_address(recipient) + ">", "", {}});
        said += result.recipients.back().command + "\r\n";
    }
    // Nobody is slowed down here.
    smtpd::Settings quick = settings;
    quick.refused_pause = quick.tarpit_delay = quick.greet_delay = std::chrono::seconds(0);
    // The text alone, as the checks have it.
    quick.enhanced_codes = false;
    policy::Client hasty = client;
    hasty.tarpit_delay.reset();
    hasty.greet_delay.reset();
    Client line;
    line.say(said + "QUIT\r\n");
    std::vector<std::string> log;
    {
        smtpd::Channel channel(line.theirs(), line.theirs(), std::chrono::seconds(10));
        smtpd::Session session(
            channel, hasty, quick, policy,
            []() -> std::unique_ptr<smtpd::MessageSink> { throw_permanent("a rehearsal takes no message"); },
            [&log](const Event& event) { log.push_back(event.classic()); });
        session.set_dns(dns);
        session.rehearse();
        session.run();
    }
    line.session_has_ended();
    result.greeting = line.reply();
    result.helo.reply = line.reply();
    result.mail.reply = line.reply();
    for (std::size_t i = 0; i < recipients.size(); ++i) {
        result.recipients[i].reply = line.reply();
        for (const std::string& text : log)
            if (is_about(text, recipients[i])) result.recipients[i].log.push_back(text);
    }
    return result;
}

}  // namespace relais::explain
