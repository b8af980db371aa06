#include "remote/session.h"

#include <algorithm>
#include <cerrno>

#include "base/error.h"
#include "remote/requiretls.h"

namespace relais::remote {
namespace {

// A handshake is a matter of seconds; who hangs in it must not hold a process for long.
constexpr std::chrono::seconds handshake_limit{60};

}  // namespace

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

Verdict Session::not_understood(const Reply& reply, bool critical) const {
    return {Letter::temporary, "Connected to " + ip_ + " but its answer is none. " +
                                   (critical ? "Possible duplicate! " : "") + "(#4.5.0)\n" + quoted(reply)};
}

Verdict Session::unusable(std::string_view what, std::string_view status, const Reply& reply) const {
    return {Letter::temporary,
            "Connected to " + ip_ + " but " + std::string(what) + ". (#" + std::string(status) + ")\n" +
                quoted(reply),
            diagnostic_of(reply)};
}

Session::Opening Session::open() {
    Opening opening = open_in_order();
    opening.tls_failed = tls_failed_;
    opening.second_choice = second_choice_;
    return opening;
}

Session::Opening Session::open_in_order() {
    end_ = earlier(Deadline::in(replies_at_worst * settings_.timeout), settings_.opening_ends);
    bool greeted = false;
    try {
        if (settings_.tls.implicit)
            if (Opening opening = secure(); opening.refused) return opening;
        const Reply greeting = wire_.read_reply(earlier(deadline(), Deadline::in(settings_.greeting)));
        greeted = true;
        if (!greeting.positive()) return {verdict(Letter::temporary, " but greeting failed", greeting)};
        if (auto refused = say_hello()) return {std::move(refused)};
        if (settings_.tls.level != TlsLevel::none && wire_.tls() == nullptr &&
            settings_.encryption != nullptr) {
            Opening opening = secure_by_command();
            if (opening.refused || opening.retry_without_tls) return opening;
        }
        if (!offers_what_is_asked()) {
            in_step_ = true;
            quit();
            return {requiretls_not_offered(ip_)};
        }
        if (settings_.credentials)
            if (Opening opening = authenticate(); opening.refused) return opening;
    } catch (const Error& error) {
        return not_opened(greeted, error);
    }
    if (wire_.tls() != nullptr) settings_.encryption->remember(*wire_.tls(), session_key_);
    in_step_ = true;
    return {};
}

Session::Opening Session::not_opened(bool greeted, const Error& error) const {
    Opening opening;
    opening.silent = error.number() == ETIMEDOUT;
    if (greeted)
        opening.refused = connection_lost(ip_, error, false, false);
    else
        opening.refused =
            Verdict{Letter::temporary, "Connected to " + ip_ + " but greeting failed.\nIt " +
                                           (opening.silent ? "said nothing in time" : "hung up first") +
                                           ". (#4.4.2)\n"};
    return opening;
}

// Throws Error.
std::optional<Verdict> Session::say_hello() {
    extensions_ = {};
    Reply reply = command((settings_.lmtp ? "LHLO " : "EHLO ") + settings_.helo_host);
    if (reply.positive()) {
        extensions_ = parse_extensions(reply);
        return std::nullopt;
    }
    if (reply.permanent() && !settings_.lmtp) reply = command("HELO " + settings_.helo_host);
    if (reply.code == 0) return not_understood(reply, false);
    if (!reply.positive()) return verdict(Letter::temporary, " but my name was rejected", reply);
    return std::nullopt;
}

// STARTTLS where it is offered. Throws Error.
Session::Opening Session::secure_by_command() {
    const bool required = settings_.tls.required();
    const std::string demand = "TLS is required" + settings_.tls.reason() + " and ";
    if (!extensions_.starttls) {
        tls_failed_ = true;
        if (!required) return {};
        return not_encrypted(demand + "it does not offer STARTTLS", "4.7.10");
    }
    const Reply reply = command("STARTTLS");
    if (!reply.positive()) {
        if (reply.code == 0 || reply.code == 421) throw_errno("understand", "the server", EPROTO);
        tls_failed_ = true;
        if (!required) return {};
        return not_encrypted(demand + "STARTTLS was refused", "4.7.10", reply);
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
        tls_failed_ = true;
        if (!settings_.tls.required() && !settings_.tls.implicit)
            return {std::nullopt, true, error.number() == ETIMEDOUT};
        const bool tell = settings_.tls.by_message || !settings_.tls.encrypted_at.empty();
        const std::string what = "the connection could not be secured: " + std::string(error.what()) +
                                 (tell ? settings_.tls.reason() : "");
        // An errno says that the network, or something of this host, was in the way.
        Opening opening =
            error.number() == 0 ? not_encrypted(what, "4.7.5") : Opening{unusable(what, "4.7.5")};
        opening.silent = error.number() == ETIMEDOUT;
        return opening;
    }
}

// There is no TLS with this server. Who has asked for it by REQUIRETLS is told at once (RFC 8689, 4.2.1).
Session::Opening Session::not_encrypted(const std::string& what, std::string_view status,
                                        const Reply& reply) const {
    const bool final = settings_.tls.by_message && (reply.code == 0 || reply.permanent());
    Verdict refused = unusable(what, final ? "5.7.10" : status, reply);
    if (final) refused.letter = Letter::permanent;
    return {std::move(refused)};
}

// Whoever stores a message, by LMTP, passes it on to nobody.
bool Session::offers_what_is_asked() const {
    return !settings_.tls.by_message || settings_.lmtp || (wire_.tls() != nullptr && extensions_.requiretls);
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
