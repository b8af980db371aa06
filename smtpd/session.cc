#include "smtpd/session.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"
#include "base/time.h"
#include "mail/address.h"
#include "mail/smtp_command.h"
#include "mail/utf8_address.h"
#include "metrics/count.h"
#include "smtpd/foreign_protocol.h"
#include "smtpd/reply_status.h"

namespace relais::smtpd {
namespace {

// AUTH lines may be longer than any other command (RFC 4954, 4); a path of the longest address must fit the
// others.
constexpr std::size_t auth_line_limit = 12288;
constexpr std::size_t command_line_limit = 2048;
// Lines that are no SMTP at all, before we hang up.
constexpr unsigned bad_command_limit = 20;
// And before the process serves nobody after this client.
constexpr unsigned odd_command_limit = 3;

constexpr std::string_view path_too_long = "501 path too long (#5.1.0)";
constexpr std::string_view controls_unreadable = "421 unable to read controls (#4.3.0)";

// RFC 5321, 4.5.3.1.2. No domain of the DNS is longer; a longer local part passes, for senders of mailing
// lists and of forwarders have one.
constexpr std::size_t domain_limit = 255;

std::uint64_t milliseconds_since(Clock::time_point then) {
    const auto span = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - then);
    return static_cast<std::uint64_t>(std::max<std::int64_t>(span.count(), 0));
}

bool fits(std::string_view address) {
    return mail::split_address(address).domain.size() <= domain_limit;
}

}  // namespace

const Session::Command Session::commands[] = {
    {"HELO", &Session::helo},         {"EHLO", &Session::ehlo}, {"MAIL", &Session::mail},
    {"RCPT", &Session::rcpt},         {"DATA", &Session::data}, {"BDAT", &Session::bdat},
    {"RSET", &Session::rset},         {"NOOP", &Session::noop}, {"VRFY", &Session::vrfy},
    {"HELP", &Session::help},         {"QUIT", &Session::quit}, {"AUTH", &Session::auth},
    {"STARTTLS", &Session::starttls}, {"EXPN", &Session::expn}, {"XCLIENT", &Session::xclient},
    {"XFORWARD", &Session::xforward}, {"ETRN", &Session::etrn},
};

Session::Session(Channel& channel, const policy::Client& client, const Settings& settings,
                 policy::Policy& policy, OpenSink open_sink, Log log)
    : channel_(channel),
      client_(client),
      settings_(settings),
      policy_(policy),
      chain_(policy_, settings_, client_),
      open_sink_(std::move(open_sink)),
      log_(std::move(log)),
      is_front_end_(settings.front_ends.match(client.ip).has_value()),
      may_name_logins_(settings.login_front_ends.match(client.ip).has_value()),
      spent_(client_.submission) {}

void Session::run(Beginning beginning) {
    const auto began = Clock::now();
    speak(beginning);
    metrics::count("smtp.sessions", service());
    metrics::observe("smtp.time", milliseconds_since(began));
    if (const std::uint64_t more = refusals_.unlogged(); more > 0)
        log_(refuse_event(
            speaker(), "", std::nullopt, std::nullopt,
            fmt::format("{} more refusals of this session, of which only this line tells", more)));
}

void Session::speak(Beginning beginning) {
    try {
        try {
            converse(beginning);
        } catch (const ClientLost& lost) {
            spent_ = spent_ || has_begun() || lost.timed_out();
            if (!lost.timed_out()) return;
            refuse("timeout", "421 timeout (#4.4.2)");
        } catch (const ControlsUnreadable& trouble) {
            spent_ = true;
            refuse("trouble", controls_unreadable, std::nullopt, trouble.what());
        } catch (const Error& error) {
            spent_ = true;
            refuse("trouble", "421 trouble on this host, try again later (#4.3.0)", std::nullopt,
                   error.what());
        }
        channel_.finish();
    } catch (const ClientLost&) {
        // It does not hear the last word.
    }
}

void Session::converse(Beginning beginning) {
    if (command_timeout_) channel_.set_timeout(*command_timeout_);
    if (beginning == Beginning::tls) encrypt();
    if (beginning == Beginning::greeting) wait_for_early_talk();
    if (beginning != Beginning::greeted) say(settings_.opening());
    while (!closing_) {
        verb_ = "";
        std::string_view line;
        const Channel::Line kind = channel_.read_line(line, auth_line_limit);
        if (kind == Channel::Line::ended) return;
        handle_line(kind, line);
    }
}

void Session::handle_line(Channel::Line kind, std::string_view line) {
    if (is_http_request(line) || is_proxy_header(line) || (!helo_ && is_header_field(line))) {
        spent_ = true;
        refuse("protocol", "421 this is SMTP and no other protocol, closing (#4.7.0)");
        closing_ = true;
    } else if (kind == Channel::Line::endless) {
        spent_ = true;
        refuse("protocol", "421 line too long, closing (#4.5.2)");
        closing_ = true;
    } else if (kind == Channel::Line::too_long ||
               (line.size() > command_line_limit && !starts_ignoring_case(line, "AUTH "))) {
        bad_line("500 line too long (#5.5.2)", line);
    } else if (kind == Channel::Line::bare && !client_.fixcrio) {
        bad_line("500 lines must end in CRLF (#5.5.2)", line);
    } else if (line.find('\0') != std::string_view::npos || line.find('\r') != std::string_view::npos) {
        bad_line("500 NUL and bare CR are not allowed (#5.5.2)", line);
    } else {
        handle_command(line);
    }
}

void Session::handle_command(std::string_view line) {
    const mail::SmtpCommand command = mail::parse_smtp_command(line);
    for (const Command& known : commands) {
        if (!equal_ignoring_case(known.verb, command.verb)) continue;
        verb_ = known.verb;
        return (this->*known.handle)(command.argument);
    }
    bad_command("500 unimplemented (#5.5.1)");
}

void Session::bad_line(std::string_view reply, std::string_view line) {
    spent_ = true;
    bad_command(reply);
    // What follows is no command, and how long it is was not said well.
    if (settings_.chunking && starts_ignoring_case(trim(line), "BDAT")) closing_ = true;
}

void Session::bad_command(std::string_view reply) {
    if (++odd_commands_ > odd_command_limit) spent_ = true;
    say(reply);
    count_bad_command();
}

void Session::count_bad_command() {
    if (++bad_commands_ < bad_command_limit) return;
    refuse("commands", "421 too many bad commands (#4.7.0)");
    closing_ = true;
}

Speaker Session::speaker() const {
    return {client_.ip, helo_, client_.user, tls_word_};
}

void Session::say(std::string_view reply) {
    if (settings_.enhanced_codes && extended_) return channel_.reply(with_status(verb_, reply));
    channel_.reply(reply);
}

// Says no, to the client and in the log.
void Session::refuse(std::string_view cause, std::string_view reply,
                     std::optional<std::string_view> recipient, std::string_view why) {
    metrics::count("smtp.refused", cause);
    logged_refusal_ = 0;
    if (!is_trusted() && !refusals_.may_log()) return say(reply);
    // Known to the client, the log and qmail-trace alike.
    const std::uint64_t id = logged_refusal_ = now_microseconds();
    const std::string said = settings_.refusal_id ? fmt::format("{} [{}]", reply, id) : std::string(reply);
    say(said);
    const auto sender = transaction_ ? std::optional<std::string_view>(transaction_->sender) : std::nullopt;
    log_(refuse_event(speaker(), cause, sender, recipient, said, why).with("dns", evidence()).at(id));
}

void Session::refuse_recipient(std::string_view cause, std::string_view reply, std::string_view recipient,
                               std::string_view why) {
    if (is_trusted()) return refuse(cause, reply, recipient, why);
    const RefusalLimits::Reaction reaction = refusals_.recipient_refused(settings_.refused_limit);
    if (reaction == RefusalLimits::Reaction::end) {
        refuse(cause, "421 too many refused recipients (#4.7.0)", recipient, why);
        closing_ = true;
        return;
    }
    if (reaction == RefusalLimits::Reaction::pause) pause(settings_.refused_pause);
    refuse(cause, reply, recipient, why);
}

void Session::helo(std::string_view argument) {
    if (argument.empty()) return bad_command("501 HELO takes the name of the client (#5.5.4)");
    helo_ = argument;
    extended_ = false;
    transaction_.reset();
    forwarded_.clear();
    chain_.heard_helo(argument);
    say("250 " + settings_.greeting);
}

void Session::ehlo(std::string_view argument) {
    if (argument.empty()) return bad_command("501 EHLO takes the name of the client (#5.5.4)");
    helo_ = argument;
    extended_ = true;
    transaction_.reset();
    forwarded_.clear();
    chain_.heard_helo(argument);
    say("250-" + settings_.greeting);
    offer_auth();
    say("250-PIPELINING");
    if (tls_ == nullptr && encryption_ != nullptr && encryption_->offered()) say("250-STARTTLS");
    say("250-8BITMIME");
    if (settings_.chunking) say("250-CHUNKING");
    if (settings_.enhanced_codes) say("250-ENHANCEDSTATUSCODES");
    if (may_ask_dsn()) say("250-DSN");
    if (settings_.smtputf8) say("250-SMTPUTF8");
    offer_transfer();
    if (may_require_tls()) say("250-REQUIRETLS");
    offer_introductions();
    if (settings_.limits) say(fmt::format("250-LIMITS RCPTMAX={}", settings_.recipient_limit));
    say("250-HELP");
    say("250 SIZE " + std::to_string(size_limit()));
}

void Session::mail(std::string_view argument) {
    if (has_begun()) return say(message_has_begun);
    transaction_.reset();
    if (const auto first = missing()) return refuse("authentication", *first);
    const auto from = mail::after_keyword(argument, "FROM");
    const auto path = from ? mail::parse_path(*from) : std::nullopt;
    if (!path) return refuse("syntax", policy::syntax_error);
    if (!fits(path->address)) return refuse("syntax", path_too_long);
    const mail::MailParameters parameters = mail::parse_mail_parameters(path->parameters);
    // Older servers of the family say the sender of a double bounce.
    transaction_ = Transaction{path->address == mail::double_bounce_sender ? "" : path->address, {}};
    transaction_->options.submitter = of_controls([&] { return submitter(); });
    if (parameters.fault == mail::MailParameters::Fault::syntax) {
        refuse("syntax", "501 syntax error in parameters (#5.5.4)");
    } else if (parameters.fault == mail::MailParameters::Fault::unknown ||
               (parameters.auth && authority_ == nullptr) || (parameters.asks_dsn() && !may_ask_dsn()) ||
               (parameters.requiretls && !may_require_tls()) ||
               (parameters.smtputf8 && !(settings_.smtputf8 && extended_))) {
        refuse("syntax", unknown_parameter);
    } else if (const auto wrong = wrong_letters(path->address, parameters.smtputf8)) {
        refuse("syntax", *wrong);
    } else if (const auto untimely = take_transfer(parameters.transfer)) {
        refuse("syntax", *untimely);
    } else if (size_limit() > 0 && parameters.size.value_or(0) > size_limit()) {
        refuse(mail::too_big.cause, mail::smtp_reply(mail::too_big));
    } else {
        transaction_->options.ret = parameters.ret;
        transaction_->options.envid = parameters.envid;
        if (milters_ != nullptr) transaction_->mail_parameters = path->parameters;
        transaction_->options.smtputf8 = parameters.smtputf8;
        transaction_->options.requiretls = parameters.requiretls;
        chain_.heard_mail(transaction_->sender);
        if (dns_said_) dns_said_->forget();
        return say("250 ok");
    }
    transaction_.reset();
}

void Session::rcpt(std::string_view argument) {
    if (!transaction_) return say(mail_first);
    if (has_begun()) return say(message_has_begun);
    const auto to = mail::after_keyword(argument, "TO");
    const auto path = to ? mail::parse_path(*to) : std::nullopt;
    if (!path || path->address.empty()) return refuse_recipient("syntax", policy::syntax_error, argument);
    if (!fits(path->address)) return refuse_recipient("syntax", path_too_long, path->address);
    const bool smtputf8 = transaction_->options.smtputf8;
    if (const auto wrong = wrong_letters(path->address, smtputf8))
        return refuse_recipient("syntax", *wrong, path->address);
    mail::RcptParameters parameters = mail::parse_rcpt_parameters(path->parameters);
    if (!path->parameters.empty() &&
        (parameters.fault == mail::MailParameters::Fault::unknown || !may_ask_dsn()))
        return refuse_recipient("syntax", unknown_parameter, path->address);
    if (parameters.fault != mail::MailParameters::Fault::none ||
        (!smtputf8 && !mail::is_ascii(parameters.options.orcpt)))
        return refuse_recipient("syntax", "501 syntax error in parameters (#5.5.4)", path->address);
    if (transaction_->recipients.size() >= settings_.recipient_limit)
        return refuse("recipients", "452 too many recipients (#4.5.3)", path->address);
    of_controls([&] { tarpit(); });
    policy::Verdict verdict = of_controls([&] { return chain_.judge(path->address); });
    for (const std::string& notice : verdict.notices) log_(notice_event(notice));
    if (!verdict.held_login.empty()) tell_postmaster_of_held(verdict.held_login);
    tell_suspicion(verdict, path->address);
    if (verdict.cause == policy::Cause::spf)
        return refuse(verdict.check, verdict.reply, path->address, verdict.why);
    if (!verdict.passes()) return refuse_recipient(verdict.check, verdict.reply, path->address, verdict.why);
    if (!milters_let_pass(verdict.recipient, path->address, path->parameters)) return;
    refusals_.recipient_accepted();
    keep_fields(std::move(verdict.fields));
    if (verdict.decision.reason == policy::Reason::open_smtp)
        transaction_->options.submitter = {mail::Submitter::Kind::open_smtp, verdict.decision.detail};
    transaction_->recipients.push_back(std::move(verdict.recipient));
    parameters.options.orcpt = mail::ascii_orcpt(parameters.options.orcpt);
    transaction_->recipient_options.push_back(std::move(parameters.options));
    say("250 ok");
}

void Session::rset(std::string_view argument) {
    if (!argument.empty()) return bad_command("501 RSET takes no argument (#5.5.4)");
    transaction_.reset();
    forwarded_.clear();
    say("250 flushed");
}

void Session::noop(std::string_view) {
    say("250 ok");
}

void Session::vrfy(std::string_view) {
    say("252 send some mail, i'll try my best");
}

void Session::expn(std::string_view) {
    bad_command("502 unimplemented (#5.5.1)");
}

void Session::help(std::string_view) {
    say(settings_.chunking ? "214 HELO EHLO STARTTLS AUTH MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT"
                           : "214 HELO EHLO STARTTLS AUTH MAIL RCPT DATA RSET NOOP VRFY HELP QUIT");
}

void Session::quit(std::string_view) {
    say("221 " + settings_.greeting);
    channel_.end_with_last_reply();
    closing_ = true;
}

}  // namespace relais::smtpd
