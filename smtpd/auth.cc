#include "smtpd/auth.h"

#include <algorithm>

#include "base/error.h"
#include "mail/smtp_command.h"
#include "sasl/base64.h"

namespace relais::smtpd {
namespace {

using sasl::Mechanism;
using Next = sasl::Server::Next;

// RFC 4954, 4: no line of the dialogue is longer.
constexpr std::size_t answer_limit = 12288;
constexpr std::string_view not_now = "454 unable to authenticate now, try again later (#4.3.0)";
constexpr std::string_view bad_input = "501 malformed auth input (#5.5.4)";

bool is_offered(Mechanism mechanism, const LoginAuthority::Offers& offers, bool bound) {
    switch (mechanism) {
        case Mechanism::plain:
        case Mechanism::login:
            return offers.password;
        case Mechanism::cram_md5:
            return offers.cram;
        case Mechanism::scram_sha_256:
            return offers.scram;
        case Mechanism::scram_sha_256_plus:
            return offers.scram && bound;
        case Mechanism::xoauth2:
        case Mechanism::oauthbearer:
            break;
    }
    return offers.bearer;
}

}  // namespace

// Who shows his secret must do it where nobody else listens.
bool Auth::is_allowed(Mechanism mechanism, const Way& way) const {
    return !sasl::shows_the_secret(mechanism) || way.encrypted || way.loopback || settings_.auth_plain;
}

bool Auth::is_configured(Mechanism mechanism) const {
    return std::find(settings_.mechanisms.begin(), settings_.mechanisms.end(), mechanism) !=
           settings_.mechanisms.end();
}

std::string Auth::offered(const Way& way, bool keen) {
    LoginAuthority::Offers offers = authority_.offers();
    if (keen && !offers.cram && !offers.scram && !offers.bearer) offers.password = true;
    std::string names;
    for (const Mechanism mechanism : settings_.mechanisms)
        if (is_allowed(mechanism, way) && is_offered(mechanism, offers, !way.bindings.empty()))
            names.append(names.empty() ? "" : " ").append(sasl::name_of(mechanism));
    return names;
}

Auth::Outcome Auth::run(std::string_view argument, const Way& way) {
    const mail::SmtpCommand words = mail::parse_smtp_command(argument);
    if (words.verb.empty()) return {"501 AUTH needs a mechanism (#5.5.4)"};
    const auto mechanism = sasl::mechanism_named(words.verb);
    if (!mechanism || !is_configured(*mechanism) ||
        (*mechanism == Mechanism::scram_sha_256_plus && way.bindings.empty()))
        return {"504 unrecognized authentication type (#5.5.4)"};
    if (!is_allowed(*mechanism, way))
        return {"538 encryption required for this authentication type (#5.7.11)"};

    std::optional<Secret> initial;
    if (words.argument == "=")
        initial.emplace();
    else if (!words.argument.empty() && !(initial = sasl::decode_base64_secret(words.argument)))
        return {std::string(bad_input)};
    try {
        // A client that could bind and was not offered it says so; where that is the site's wish, nobody took
        // it from the offer.
        const bool binds = is_configured(Mechanism::scram_sha_256_plus);
        const auto server = sasl::make_server(
            *mechanism, authority_, {settings_.me, binds ? way.bindings : decltype(way.bindings){}});
        const auto step = converse(*server, initial ? std::optional(initial->view()) : std::nullopt);
        const std::string& user = server->user();
        switch (step.next) {
            case Next::right:
                return {"235 ok, go ahead (#2.0.0)", "", user, server->account()};
            case Next::refused:
                return {"535 authentication failed (#5.7.1)", step.text, user, "", true};
            case Next::temporary:
                return {std::string(not_now), step.text, user, "", true};
            case Next::malformed:
                return {std::string(bad_input), "", user};
            case Next::challenge:
                break;
        }
        return {trouble_, "", user};
    } catch (const ClientLost&) {
        throw;
    } catch (const Error& error) {
        return {std::string(not_now), error.what(), "", "", true};
    }
}

// Up to the end, or to a line that cannot be understood: then the step is still a challenge.
sasl::Server::Step Auth::converse(sasl::Server& server, std::optional<std::string_view> initial) {
    sasl::Server::Step step = server.begin(initial);
    while (step.next == Next::challenge) {
        channel_.reply("334 " + sasl::encode_base64(step.text));
        const auto answer = read_answer();
        if (!answer) return step;
        step = server.respond(answer->view());
    }
    return step;
}

std::optional<Secret> Auth::read_answer() {
    std::string_view line;
    switch (channel_.read_line(line, answer_limit)) {
        case Channel::Line::ended:
            throw ClientLost(ECONNRESET);
        case Channel::Line::endless:
            trouble_ = "421 line too long, closing (#4.5.2)";
            return std::nullopt;
        case Channel::Line::too_long:
            trouble_ = "500 line too long (#5.5.6)";
            return std::nullopt;
        case Channel::Line::bare:
            if (bare_lines_) break;
            trouble_ = "500 lines must end in CRLF (#5.5.2)";
            return std::nullopt;
        case Channel::Line::complete:
            break;
    }
    if (line == "*") {
        trouble_ = "501 authentication cancelled (#5.7.0)";
        return std::nullopt;
    }
    auto answer = sasl::decode_base64_secret(line);
    if (!answer) trouble_ = bad_input;
    return answer;
}

}  // namespace relais::smtpd
