#include "remote/session.h"

#include <algorithm>
#include <cerrno>

#include "base/error.h"
#include "mail/address.h"
#include "remote/data.h"
#include "remote/interruption.h"

namespace relais::remote {
namespace {

// What a bounce or the log quotes of a server's words (qmail's limit).
constexpr std::size_t quote_limit = 5000;

std::string quoted(const Reply& reply) {
    if (reply.text.empty()) return "";
    std::string text = "Remote host said: " + reply.text.substr(0, quote_limit);
    if (!text.ends_with('\n')) text += '\n';
    return text;
}

// The same in one line, for reports.
std::string diagnostic_of(const Reply& reply) {
    std::string text = reply.text.substr(0, send::diagnostic_limit);
    while (text.ends_with('\n')) text.pop_back();
    std::replace_if(
        text.begin(), text.end(), [](char c) { return c == '\n' || c == '\0'; }, ' ');
    return text;
}

// A path that could end its command, or begin another, must never be sent. Octets above 127 pass, as in
// qmail.
bool fits_in_path(std::string_view address) {
    const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 32 || c == 127; };
    if (std::any_of(address.begin(), address.end(), is_control)) return false;
    const std::string_view domain = mail::split_address(address).domain;
    return domain.find_first_of(" <>\"\\()@,;") == std::string_view::npos;
}

// A transaction may take so much longer for each recipient, and for a message at that rate (octets a second).
constexpr Seconds recipient_patience{10};
constexpr std::uint64_t slowest_rate = 512;

// A handshake is a matter of seconds; who hangs in it must not hold a process for long.
constexpr std::chrono::seconds handshake_limit{60};

std::string path(const std::string& address) {
    std::string text = "<";
    if (!address.empty()) text += mail::quoted_address(address);
    return text += '>';
}

}  // namespace

// One message on its way.
struct Session::Transaction {
    const std::string& sender;
    const std::vector<std::string>& recipients;
    Message& message;
    const DsnRequest& dsn;
    Result result;
    bool mail_answered = false;
    bool decided = false;    // result.message holds
    bool accepted = false;   // at least one recipient
    bool critical = false;   // the final dot may have reached the server, and its answer did not reach us
    bool data_open = false;  // the server waits for data

    void decide(Verdict verdict) {
        if (!decided) result.message = std::move(verdict);
        decided = true;
    }
};

// What has come before the question is no answer to it. Throws Error.
Reply Session::command(const std::string& line) {
    require_silence();
    wire_.write(line + "\r\n", deadline());
    return wire_.read_reply(deadline());
}

void Session::require_silence() const {
    if (wire_.has_unread()) throw_errno("understand", "the server, which answers unasked", EPROTO);
}

Verdict Session::verdict(Letter letter, std::string_view what, const Reply& reply) const {
    const std::string begin = what.starts_with(" but ") ? "Connected to " : "";
    return {letter, begin + ip_ + std::string(what) + ".\n" + quoted(reply), diagnostic_of(reply)};
}

Verdict Session::connection_died(bool critical) const {
    return {Letter::temporary, "Connected to " + ip_ + " but connection died. " +
                                   (critical ? "Possible duplicate! " : "") + "(#4.4.2)\n"};
}

Verdict Session::unusable(std::string_view what, std::string_view status, const Reply& reply) const {
    return {Letter::temporary,
            "Connected to " + ip_ + " but " + std::string(what) + ". (#" + std::string(status) + ")\n" +
                quoted(reply),
            diagnostic_of(reply)};
}

Session::Opening Session::open() {
    end_in(Seconds(0));
    end_ = earlier(end_, settings_.opening_ends);
    bool greeted = false;
    try {
        if (settings_.tls.implicit)
            if (Opening opening = secure(); opening.refused) return opening;
        const Reply greeting = wire_.read_reply(earlier(deadline(), Deadline::in(settings_.greeting)));
        greeted = true;
        if (greeting.code != 220) return {verdict(Letter::temporary, " but greeting failed", greeting)};
        if (auto refused = say_hello()) return {std::move(refused)};
        if (settings_.tls.level != TlsLevel::none && wire_.tls() == nullptr &&
            settings_.encryption != nullptr) {
            Opening opening = secure_by_command();
            if (opening.refused || opening.retry_without_tls) return opening;
        }
        if (settings_.credentials)
            if (Opening opening = authenticate(); opening.refused) return opening;
    } catch (const Error& error) {
        return not_opened(greeted, error.number() == ETIMEDOUT);
    }
    if (wire_.tls() != nullptr) settings_.encryption->remember(*wire_.tls(), session_key_);
    in_step_ = true;
    return {};
}

Session::Opening Session::not_opened(bool greeted, bool timed_out) const {
    Opening opening;
    opening.silent = timed_out;
    if (greeted)
        opening.refused = connection_died(false);
    else
        opening.refused = Verdict{
            Letter::temporary, "Connected to " + ip_ + " but greeting failed.\nIt " +
                                   (timed_out ? "said nothing in time" : "hung up first") + ". (#4.4.2)\n"};
    return opening;
}

// Throws Error.
std::optional<Verdict> Session::say_hello() {
    extensions_ = {};
    Reply reply = command("EHLO " + settings_.helo_host);
    if (reply.code == 250) {
        extensions_ = parse_extensions(reply);
        return std::nullopt;
    }
    if (reply.permanent()) reply = command("HELO " + settings_.helo_host);
    if (reply.code != 250) return verdict(Letter::temporary, " but my name was rejected", reply);
    return std::nullopt;
}

// STARTTLS where it is offered. Throws Error.
Session::Opening Session::secure_by_command() {
    const bool required = settings_.tls.required();
    if (!extensions_.starttls) {
        if (!required) return {};
        return {unusable("TLS is required and it does not offer STARTTLS", "4.7.10")};
    }
    const Reply reply = command("STARTTLS");
    if (reply.code != 220) {
        if (reply.code == 0 || reply.code == 421) throw_errno("understand", "the server", EPROTO);
        if (!required) return {};
        return {unusable("TLS is required and STARTTLS was refused", "4.7.10", reply)};
    }
    // What it says in the clear after its answer could have been put there by anybody, to be taken for what
    // comes under TLS.
    if (wire_.has_unread()) {
        if (!required) return {std::nullopt, true};
        return {unusable("it spoke on after its answer to STARTTLS, in the clear", "4.7.5")};
    }
    if (Opening opening = secure(); opening.refused || opening.retry_without_tls) return opening;
    // All that was known of the server came in the clear.
    return {say_hello()};
}

Session::Opening Session::secure() {
    try {
        const auto limit = std::min<std::chrono::milliseconds>(settings_.timeout, handshake_limit);
        Secured secured = settings_.encryption->secure(wire_.fd(), settings_.tls, settings_.server_name, ip_,
                                                       earlier(Deadline::in(limit), end_));
        protection_ = secured.description;
        session_key_ = std::move(secured.session_key);
        wire_.switch_to(std::move(secured.connection));
        return {};
    } catch (const Error& error) {
        if (!settings_.tls.required() && !settings_.tls.implicit)
            return {std::nullopt, true, error.number() == ETIMEDOUT};
        Opening opening{
            unusable("the connection could not be secured: " + std::string(error.what()), "4.7.5")};
        opening.silent = error.number() == ETIMEDOUT;
        return opening;
    }
}

// Nothing of a message is said before this is done. Throws Error.
Session::Opening Session::authenticate() {
    const Channel channel = wire_.tls() == nullptr                 ? Channel::clear
                            : settings_.tls.authenticates_server() ? Channel::verified
                                                                   : Channel::encrypted;
    const LoginResult result = log_in(
        wire_, *settings_.credentials, extensions_.auth,
        {channel, settings_.tls.cleartext_password, settings_.timeout, end_, settings_.first_mechanism});
    if (!result.done)
        return {unusable(result.complaint + ", and this route sends nothing without a login", "4.7.8",
                         result.reply),
                false, false, result.refused};
    login_ = sasl::name_of(result.mechanism);
    if (result.gave_way) second_choice_ = result.mechanism;
    return {};
}

// What need not be asked: the server has said that it cannot take this message.
std::optional<Verdict> Session::refuse_unsent(Message& message, const std::string& sender) const {
    if (!fits_in_path(sender))
        return Verdict{Letter::permanent, "Sorry, the sender's address cannot be said in SMTP. (#5.1.7)\n"};
    if (settings_.strict_8bit && !extensions_.eight_bit_mime && message.scan().eight_bit)
        return Verdict{Letter::permanent,
                       "Connected to " + ip_ +
                           " but it does not take 8-bit messages, and control/strict8bit is set. (#5.6.3)\n"};
    if (extensions_.size_limit > 0 && message.scan().wire_size > extensions_.size_limit)
        return Verdict{Letter::permanent, "Connected to " + ip_ +
                                              " but the message is too large for it: it takes " +
                                              std::to_string(extensions_.size_limit) + " octets. (#5.3.4)\n"};
    return std::nullopt;
}

std::string Session::mail_command(const std::string& sender, Message& message, const DsnRequest& dsn) const {
    // Others know no second kind of bounce, and refuse its sender.
    std::string line = "MAIL FROM:" + (sender == mail::double_bounce_sender ? "<>" : path(sender));
    if (extensions_.size) line += " SIZE=" + std::to_string(message.scan().wire_size);
    if (extensions_.eight_bit_mime && message.scan().eight_bit) line += " BODY=8BITMIME";
    if (!extensions_.dsn) return line;
    if (dsn.ret != mail::Ret::unsaid) line += dsn.ret == mail::Ret::full ? " RET=FULL" : " RET=HDRS";
    if (!dsn.envid.empty()) line += " ENVID=" + dsn.envid;
    return line;
}

std::string Session::rcpt_command(const Transaction& transaction, std::size_t index) const {
    std::string line = "RCPT TO:" + path(transaction.recipients[index]);
    if (!extensions_.dsn || index >= transaction.dsn.recipients.size()) return line;
    const mail::RecipientOptions& options = transaction.dsn.recipients[index];
    if (options.notify.said()) line += " NOTIFY=" + mail::notify_text(options.notify);
    if (!options.orcpt.empty()) line += " ORCPT=" + options.orcpt;
    return line;
}

Session::Attempt Session::send(const std::string& sender, const std::vector<std::string>& recipients,
                               Message& message, const DsnRequest& dsn) {
    Transaction transaction{sender, recipients, message, dsn, {}};
    transaction.result.dsn = extensions_.dsn;
    transaction.result.server = settings_.server_name;
    transaction.result.server_ip = ip_;
    transaction.result.tls = wire_.tls() != nullptr ? protection_ : "";
    try {
        if (auto refusal = refuse_unsent(message, sender))
            return {{{}, *std::move(refusal), "", false}, false};
        mail_command(sender, message, dsn);  // reads the message if it has to, before anything is said
    } catch (const Error&) {
        return {{{}, cannot_read_message(), "", false}, false};
    }
    in_step_ = false;
    const std::uint64_t octets = std::min<std::uint64_t>(message.size(), std::uint64_t{1} << 40);
    end_in(Seconds(octets / slowest_rate) + recipient_patience * recipients.size());
    try {
        if (extensions_.pipelining)
            send_pipelined(transaction);
        else
            send_stepwise(transaction);
        in_step_ = true;
    } catch (const Error&) {
        transaction.decide(connection_died(transaction.critical));
    }
    return {std::move(transaction.result), !transaction.mail_answered};
}

void Session::send_pipelined(Transaction& transaction) {
    std::string group = std::exchange(reset_needed_, false) ? "RSET\r\n" : "";
    const bool reset = !group.empty();
    group += mail_command(transaction.sender, transaction.message, transaction.dsn) + "\r\n";
    for (std::size_t i = 0; i < transaction.recipients.size(); ++i)
        if (fits_in_path(transaction.recipients[i])) group += rcpt_command(transaction, i) + "\r\n";
    require_silence();
    wire_.write(group + "DATA\r\n", deadline());

    if (reset) wire_.read_reply(deadline());
    const bool mail_accepted = take_mail_reply(transaction, wire_.read_reply(deadline()));
    for (const std::string& recipient : transaction.recipients) {
        const Reply reply = fits_in_path(recipient) ? wire_.read_reply(deadline()) : Reply{};
        if (mail_accepted) take_recipient_reply(transaction, reply);
    }
    if (mail_accepted && !transaction.accepted)
        transaction.decide({Letter::permanent, "Giving up on " + ip_ + ".\n"});
    take_data_reply(transaction, wire_.read_reply(deadline()));
    if (transaction.data_open) send_data(transaction);
}

void Session::send_stepwise(Transaction& transaction) {
    if (std::exchange(reset_needed_, false)) command("RSET");
    if (!take_mail_reply(transaction,
                         command(mail_command(transaction.sender, transaction.message, transaction.dsn))))
        return;
    for (std::size_t i = 0; i < transaction.recipients.size(); ++i)
        take_recipient_reply(transaction, fits_in_path(transaction.recipients[i])
                                              ? command(rcpt_command(transaction, i))
                                              : Reply{});
    if (!transaction.accepted) {
        reset_needed_ = true;
        transaction.decide({Letter::permanent, "Giving up on " + ip_ + ".\n"});
        return;
    }
    take_data_reply(transaction, command("DATA"));
    if (transaction.data_open) send_data(transaction);
}

bool Session::take_mail_reply(Transaction& transaction, const Reply& reply) {
    // A server that closes in good order, and no answer to this command: as if it had been gone already.
    transaction.mail_answered = reply.code != 421;
    if (reply.positive()) return true;
    transaction.decide(verdict(reply.permanent() ? Letter::permanent : Letter::temporary,
                               " but sender was rejected", reply));
    if (reply.code == 0 || reply.code == 421) throw_errno("understand", "the server", EPROTO);
    return false;
}

void Session::take_recipient_reply(Transaction& transaction, const Reply& reply) {
    const std::size_t index = transaction.result.recipients.size();
    if (!fits_in_path(transaction.recipients[index])) {
        transaction.result.recipients.push_back(
            {send::Outcome::permanent, "Sorry, this address cannot be said in SMTP. (#5.1.3)\n"});
        return;
    }
    // A reply that is none says nothing about the recipient, nor do those that would follow.
    if (reply.code == 0 || reply.code == 421) {
        transaction.decide(reply.code == 421 ? verdict(Letter::temporary, " but connection died", reply)
                                             : connection_died(false));
        throw_errno("understand", "the server", EPROTO);
    }
    if (reply.positive()) {
        transaction.result.recipients.push_back({send::Outcome::success, ""});
        transaction.accepted = true;
        return;
    }
    transaction.result.recipients.push_back(
        {reply.permanent() ? send::Outcome::permanent : send::Outcome::temporary,
         ip_ + " does not like recipient.\n" + quoted(reply), "", diagnostic_of(reply)});
}

void Session::take_data_reply(Transaction& transaction, const Reply& reply) {
    transaction.data_open = reply.intermediate();
    if (transaction.data_open) return;
    transaction.decide(
        verdict(reply.permanent() ? Letter::permanent : Letter::temporary, " failed on DATA command", reply));
    if (reply.code < 400) throw_errno("understand", "the server", EPROTO);
    reset_needed_ = true;
}

void Session::send_data(Transaction& transaction) {
    // Nobody is to get it: pipelined before we could know, and the server waits. An empty message to nobody
    // ends it.
    if (transaction.decided) {
        wire_.write(final_dot, deadline());
        wire_.read_reply(deadline());
        return;
    }
    bool reading = true;
    try {
        transaction.message.encode([&](std::string_view piece, bool last) {
            reading = false;
            if (last) Interruption::point_of_no_return();
            if (!wire_.write_in_silence(piece, deadline())) throw_errno("talk to", "the server", EPROTO);
            reading = true;
            transaction.critical = last;
        });
    } catch (const Error&) {
        // Without its final dot the server must forget the message.
        if (reading) return transaction.decide(cannot_read_message()), throw;
        const Reply words = wire_.last_words();
        if (words.code >= 400)
            take_final_reply(transaction, words);
        else if (words.code > 0)
            transaction.decide(unusable("it answered before it had the whole message", "4.5.0", words));
        throw;
    }
    // Whatever time is over: who hangs up now may have it sent twice.
    const Reply reply = wire_.read_reply(Deadline::in(settings_.timeout));
    transaction.critical = reply.code == 0;
    if (reply.code == 0) throw_errno("understand", "the server", EPROTO);
    take_final_reply(transaction, reply);
}

void Session::take_final_reply(Transaction& transaction, const Reply& reply) {
    if (reply.positive())
        transaction.decide({Letter::accepted,
                            verdict(Letter::accepted, " accepted message", reply).text +
                                protection(transaction.message.signed_by()),
                            diagnostic_of(reply)});
    else
        transaction.decide(verdict(reply.permanent() ? Letter::permanent : Letter::temporary,
                                   " failed after I sent the message", reply));
}

// What stands behind the server's words: how the message went. Nothing for one that went in the clear and
// unsigned, as ever.
std::string Session::protection(const std::string& signed_by) const {
    std::string text;
    if (wire_.tls() != nullptr) text = "Encrypted: " + protection_;
    if (!login_.empty()) text += (text.empty() ? "Authenticated: " : ", authenticated: ") + login_;
    if (!signed_by.empty()) text += (text.empty() ? "Signed by: " : ", signed by: ") + signed_by;
    return text.empty() ? "" : text + "\n";
}

void Session::quit() {
    try {
        if (in_step_) wire_.write("QUIT\r\n", Deadline::in(Seconds(1)));
        wire_.shut_down();
    } catch (const Error&) {
        // It has gone already.
    }
    in_step_ = false;
}

}  // namespace relais::remote
