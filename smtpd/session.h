// One SMTP session (RFC 5321), from the greeting to the end: sequential, a process for itself meanwhile. All
// it knows of the world comes through its constructor, so that tests run it against a socket pair.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "listen/visitor.h"
#include "mail/envelope.h"
#include "milter/client.h"
#include "policy/chain.h"
#include "policy/client.h"
#include "smtpd/auth.h"
#include "smtpd/channel.h"
#include "smtpd/encryption.h"
#include "smtpd/incoming_message.h"
#include "smtpd/late_header.h"
#include "smtpd/log.h"
#include "smtpd/message_sink.h"
#include "smtpd/recorded_dns.h"
#include "smtpd/refusal_limits.h"
#include "smtpd/settings.h"

namespace relais::smtpd {

using Beginning = listen::Beginning;

inline constexpr std::string_view mail_first = "503 MAIL first (#5.5.1)";
inline constexpr std::string_view message_has_begun =
    "503 the message has begun, its last BDAT or RSET first (#5.5.1)";

// To a parameter of MAIL or RCPT that is not offered to this client.
inline constexpr std::string_view unknown_parameter = "555 unknown parameter (#5.5.4)";

class Session {
  public:
    using OpenSink = std::function<std::unique_ptr<MessageSink>()>;
    using Log = std::function<void(const Event& event)>;

    // Borrows everything but the client.
    Session(Channel& channel, const policy::Client& client, const Settings& settings, policy::Policy& policy,
            OpenSink open_sink, Log log);

    // AUTH is offered. Borrows it.
    void set_authority(LoginAuthority& authority) { authority_ = &authority; }
    // STARTTLS is offered. Borrows it.
    void set_encryption(Encryption& encryption) { encryption_ = &encryption; }

    // Mail from outside is verified as control/mailauth and its like say. Borrows it.
    void set_dns(authres::Dns& dns) { chain_.set_dns(dns_said_.emplace(dns)); }
    // Milters look at what the client sends. Borrows them.
    void set_milters(milter::Milters& milters) { milters_ = &milters; }
    // A client for whom a front end speaks, as far as it is known; and what the rules for its address say.
    struct Acquaintance {
        std::optional<std::string> ip;
        std::optional<std::string> host;
        std::optional<std::string> local_ip;
    };
    // Nothing for one whom a rule denies. Throws Error: the rules cannot be read, or say what cannot be done.
    using Meet = std::function<std::optional<policy::Client>(const Acquaintance& whom)>;
    // XCLIENT is offered to those whom control/xclient lists.
    void set_meet(Meet meet) { meet_ = std::move(meet); }
    // Lets qmail-send try what waits for a domain. False where it does not hear.
    using AskForTurn = std::function<bool(std::string_view domain)>;
    // ETRN is offered where control/etrn names a domain.
    void set_turns(AskForTurn ask) { ask_for_turn_ = std::move(ask); }
    // Nothing is counted: for relay-explain.
    void rehearse() { chain_.rehearse(); }
    // Between commands, if that is shorter than the channel's.
    void set_command_timeout(std::chrono::seconds timeout) { command_timeout_ = timeout; }

    // Speaks with the client until it leaves, or is too slow, or has made too many errors. Throws nothing but
    // what the sinks of messages and log lines throw.
    void run(Beginning beginning = Beginning::greeting);
    // The session has held a secret (a login, a certificate, our own users' mail) or has seen something odd:
    // its process serves nobody after this client.
    bool spent() const { return spent_; }

  private:
    struct Transaction {
        std::string sender;
        std::vector<std::string> recipients;
        mail::EnvelopeOptions options{};
        std::vector<mail::RecipientOptions> recipient_options{};
        std::vector<std::string> fields{};           // of checks, for the top of the message
        std::string mail_parameters{};               // as MAIL had them
        std::string milter_id{};                     // by which milters know it; once they have heard of it
        std::unique_ptr<IncomingMessage> message{};  // once DATA or the first BDAT was said
        mail::Envelope envelope() const;
    };
    struct Command {
        std::string_view verb;
        void (Session::*handle)(std::string_view argument);
    };
    static const Command commands[];

    // Trouble with what the administrator has written; any other Error is trouble of the host.
    struct ControlsUnreadable : Error {
        using Error::Error;
    };
    template <class Read>
    static auto of_controls(Read read) {
        try {
            return read();
        } catch (const Error& error) {
            throw ControlsUnreadable(error.reaction(), error.what(), error.number());
        }
    }

    void speak(Beginning beginning);
    void converse(Beginning beginning);
    void handle_line(Channel::Line kind, std::string_view line);
    void bad_line(std::string_view reply, std::string_view line);
    void handle_command(std::string_view line);

    void helo(std::string_view argument);
    void ehlo(std::string_view argument);
    void mail(std::string_view argument);
    void rcpt(std::string_view argument);
    void data(std::string_view argument);
    void bdat(std::string_view argument);
    void auth(std::string_view argument);
    void rset(std::string_view argument);
    void noop(std::string_view argument);
    void vrfy(std::string_view argument);
    void expn(std::string_view argument);
    void etrn(std::string_view argument);
    void help(std::string_view argument);
    void quit(std::string_view argument);
    void starttls(std::string_view argument);
    void xclient(std::string_view argument);
    void xforward(std::string_view argument);

    void encrypt();
    // All that it said, and who it is.
    void forget_the_client();
    void start_anew(const policy::Client& client);
    void offer_introductions();

    bool has_begun() const { return transaction_ && transaction_->message; }
    // What must come before a message, if anything.
    std::optional<std::string_view> unready() const;
    void begin_message(DataDecoder::Form form);
    // Takes octets of the message: up to the end of DATA, or so many. Throws ClientLost.
    void receive_data(IncomingMessage& message);
    void receive_chunk(IncomingMessage& message, std::uint64_t octets);
    // Reads so many and drops them.
    void discard(std::uint64_t octets);
    template <class Read>
    void read_message(Read read);
    void end_message();
    void refuse_message();
    void finish_message(MessageSink& sink, std::uint64_t size);
    // Where the message goes; what is verified is kept until its end, for what stands on top of it.
    std::unique_ptr<MessageSink> open_sink();
    void keep_fields(std::vector<std::string> fields);
    // False, and the client has heard why, if the message is not to be believed, at its end.
    bool believes_message(MessageSink& sink);
    // Counts and logs what a check finds and lets pass.
    void tell_suspicion(const policy::Verdict& verdict, std::string_view recipient);
    // For reports on DMARC. message: 0 for one that was refused, at that time.
    void tell_for_report(std::uint64_t message, std::uint64_t refused_at);

    // session_milter.cc: False, and the client has heard why, if a milter does not let it pass. named: the
    // recipient as the client has it.
    bool milters_let_pass(std::string_view recipient, std::string_view named, std::string_view parameters);
    bool milters_let_message_pass();
    void tell_of_milters(std::uint64_t id);
    milter::Facts facts_for_milters() const;

    // What stands between this client and a transaction, if anything: a submission listener's rules.
    std::optional<std::string_view> missing() const;
    bool is_local() const;
    bool must_encrypt() const;
    std::string_view service() const { return client_.submission ? "submission" : "smtp"; }
    Way way() const;
    void offer_auth();
    std::string_view protocol() const;
    std::string traced_protocol() const;

    // A reply of one line, or a line of one.
    void say(std::string_view reply);
    void bad_command(std::string_view reply);
    void count_bad_command();
    void refuse_auth(std::string_view reply, std::string_view why = "");
    // cause: a value of smtp.refused (metrics/table.h).
    void refuse(std::string_view cause, std::string_view reply,
                std::optional<std::string_view> recipient = std::nullopt, std::string_view why = "");
    // Keeps the greeting back (greetdelay), and notes who cannot wait for it.
    void wait_for_early_talk();
    // Slows down who names many recipients (tarpitcount).
    void tarpit();
    void tell_postmaster_of_held(const std::string& login);
    void pause(std::chrono::seconds time);
    void refuse_recipient(std::string_view cause, std::string_view reply, std::string_view recipient,
                          std::string_view why = "");
    // What is wrong with the letters of an address, for 5.1.3 or 5.1.7, or without SMTPUTF8.
    std::optional<std::string_view> wrong_letters(std::string_view address, bool smtputf8) const;
    // Whether this client may ask for reports on deliveries: whoever is asked for may get one that he never
    // wanted, so it is not for strangers.
    bool may_ask_dsn() const;
    // session_transfer.cc: when and in which order a message is sent, for those who may relay. Takes what
    // MAIL says of it; a reply if it may not.
    void offer_transfer();
    std::optional<std::string_view> take_transfer(const mail::TransferRequest& request);
    // RFC 1985, for the same.
    bool offers_etrn() const { return ask_for_turn_ && !settings_.etrn.empty(); }
    // RFC 8689, 4: only what has come by TLS can be held to it.
    bool may_require_tls() const { return settings_.requiretls && tls_ != nullptr && extended_; }
    // Whose mail this is; unsaid for a client without a right of its own.
    mail::Submitter submitter();
    // Whose it is where an open-smtp entry lets the client relay; unsaid else.
    mail::Submitter submitter_by_open_smtp();
    // One whose refusals are never limited.
    bool is_trusted() const { return client_.user || client_.relayclient || client_.certificate; }
    Speaker speaker() const;
    // What DNS has said in this transaction.
    Event::List evidence() const { return dns_said_ ? Event::List(dns_said_->said()) : Event::List(); }
    std::uint64_t size_limit() const { return client_.databytes.value_or(settings_.databytes); }

    Channel& channel_;
    policy::Client client_;
    const Settings& settings_;
    policy::Policy& policy_;
    policy::Chain chain_;
    std::optional<RecordedDns> dns_said_{};
    OpenSink open_sink_;
    Log log_;
    LoginAuthority* authority_ = nullptr;
    milter::Milters* milters_ = nullptr;
    std::optional<std::chrono::seconds> command_timeout_;

    std::optional<std::string> helo_;
    bool extended_ = false;    // EHLO was said
    std::string_view verb_{};  // of the command that is answered; "" for a line that is none
    std::optional<Transaction> transaction_;
    unsigned bad_commands_ = 0;
    RefusalLimits refusals_;
    std::uint64_t logged_refusal_ = 0;  // when the last one was told; 0: it was not
    std::uint64_t recipients_named_ = 0;
    unsigned failed_logins_ = 0;
    std::string login_mechanism_{};
    Encryption* encryption_ = nullptr;
    const tls::Connection* tls_ = nullptr;
    std::string tls_word_;  // for the log
    bool closing_ = false;
    unsigned odd_commands_ = 0;

    // Of whoever has connected, whomever it names since.
    const bool is_front_end_;
    const bool may_name_logins_;
    Meet meet_;
    AskForTurn ask_for_turn_;
    bool login_was_named_ = false;
    std::vector<std::pair<std::string, std::string>> forwarded_;  // by XFORWARD, for the next message
    bool spent_ = false;
};

}  // namespace relais::smtpd
