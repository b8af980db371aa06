// The part of Session that has to do with logins: AUTH, and what a submission listener asks for.
#include "smtpd/session.h"

namespace relais::smtpd {
namespace {

constexpr unsigned failed_login_limit = 5;

}  // namespace

bool Session::is_local() const {
    return client_.ip.starts_with("127.") || client_.ip == "::1";
}

bool Session::must_encrypt() const {
    return client_.submission && settings_.submission_tls && tls_ == nullptr && !is_local() &&
           !login_was_named_;
}

std::optional<std::string_view> Session::missing() const {
    if (must_encrypt()) return "530 must issue a STARTTLS command first (#5.7.0)";
    if (client_.submission && settings_.submission_auth && !client_.user)
        return "530 authentication required (#5.7.0)";
    return std::nullopt;
}

// For a login: the bindings cost a derivation of keys and a digest.
Way Session::way() const {
    Way way{tls_ != nullptr, is_local(), {}};
    if (tls_ == nullptr) return way;
    if (std::string data = tls_->exporter_binding(); !data.empty())
        way.bindings.push_back({"tls-exporter", std::move(data)});
    if (std::string data = tls_->end_point_binding(); !data.empty())
        way.bindings.push_back({"tls-server-end-point", std::move(data)});
    return way;
}

// RFC 3848, and RFC 6531, 4.3.
std::string_view Session::protocol() const {
    if (!extended_) return "SMTP";
    if (transaction_ && transaction_->options.smtputf8) {
        if (tls_ != nullptr) return client_.user ? "UTF8SMTPSA" : "UTF8SMTPS";
        return client_.user ? "UTF8SMTPA" : "UTF8SMTP";
    }
    if (tls_ != nullptr) return client_.user ? "ESMTPSA" : "ESMTPS";
    return client_.user ? "ESMTPA" : "ESMTP";
}

// Two lines, the second for clients older than the first RFC about AUTH.
void Session::offer_auth() {
    if (authority_ == nullptr || client_.user || must_encrypt()) return;
    const std::string names =
        Auth(channel_, settings_, *authority_, client_.fixcrio).offered(way(), client_.submission);
    if (names.empty()) return;
    say("250-AUTH " + names);
    say("250-AUTH=" + names);
}

// Whatever is said here may hold a secret, also where it is refused at once.
void Session::auth(std::string_view argument) {
    spent_ = true;
    if (authority_ == nullptr) return bad_command("502 unimplemented (#5.5.1)");
    if (!extended_) return refuse_auth("503 EHLO first (#5.5.1)");
    if (client_.user) return refuse_auth("503 already authenticated (#5.5.1)");
    if (transaction_) return refuse_auth("503 no AUTH within a transaction (#5.5.1)");
    if (must_encrypt()) return refuse_auth(*missing());
    const Auth::Outcome outcome =
        Auth(channel_, settings_, *authority_, client_.fixcrio).run(argument, way());
    channel_.wipe_used();
    if (!outcome.account.empty()) {
        client_.user = outcome.account;
        login_mechanism_ = argument.substr(0, std::min(argument.find(' '), argument.size()));
        for (char& c : login_mechanism_) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
        return say(outcome.reply);
    }
    std::string why = outcome.user.empty() ? "" : "login " + outcome.user.substr(0, 128);
    if (!outcome.why.empty()) why += (why.empty() ? "" : ", ") + outcome.why;
    if (!outcome.failed) return refuse_auth(outcome.reply, why);
    refuse("login", outcome.reply, std::nullopt, why);
    if (++failed_logins_ < failed_login_limit) return;
    refuse("login", "421 too many failed logins (#4.7.0)");
    closing_ = true;
}

// An AUTH that came to no login. It counts as a bad command: each is a line in the log.
void Session::refuse_auth(std::string_view reply, std::string_view why) {
    refuse("authentication", reply, std::nullopt, why);
    if (reply.starts_with("421"))
        closing_ = true;
    else
        count_bad_command();
}

}  // namespace relais::smtpd
