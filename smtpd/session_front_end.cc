// The part of Session for front ends that control/xclient lists: XCLIENT, by which one says for whom it
// speaks, and XFORWARD, by which a filter says from whom a message once came (Postfix's XCLIENT_README,
// XFORWARD_README).
#include <algorithm>
#include <array>

#include "auth/login_name.h"
#include "base/text.h"
#include "mail/introduction.h"
#include "smtpd/listener.h"
#include "smtpd/session.h"

namespace relais::smtpd {
namespace {

using Attributes = std::vector<mail::IntroductionAttribute>;

constexpr std::array<std::string_view, 9> of_xclient = {
    "NAME", "ADDR", "PORT", "PROTO", "HELO", "LOGIN", "DESTADDR", "DESTPORT", "REVERSE_NAME"};
constexpr std::array<std::string_view, 7> of_xforward = {"NAME", "ADDR",  "PORT",  "PROTO",
                                                         "HELO", "IDENT", "SOURCE"};
constexpr std::string_view syntax = "501 syntax error in attributes (#5.5.4)";
constexpr std::string_view in_transaction = "503 not within a transaction (#5.5.1)";

template <class Names>
std::string joined(std::string_view verb, const Names& names, bool with_login) {
    std::string line(verb);
    for (const std::string_view name : names)
        if (with_login || name != "LOGIN") line.append(" ").append(name);
    return line;
}

// Nothing where one is not among these names.
template <class Names>
std::optional<Attributes> parse(std::string_view argument, const Names& names) {
    auto attributes = mail::parse_introduction(argument);
    if (!attributes) return std::nullopt;
    for (const mail::IntroductionAttribute& each : *attributes)
        if (std::find(names.begin(), names.end(), each.name) == names.end()) return std::nullopt;
    return attributes;
}

const mail::IntroductionAttribute* find(const Attributes& attributes, std::string_view name) {
    const auto found =
        std::find_if(attributes.begin(), attributes.end(),
                     [&](const mail::IntroductionAttribute& each) { return each.name == name; });
    return found != attributes.end() ? &*found : nullptr;
}

// What is said of it now, or else was known before. False for what is no address.
bool take_address(const Attributes& attributes, std::string_view name, std::optional<std::string>& address) {
    const auto* const said = find(attributes, name);
    if (said == nullptr) return true;
    address = said->value ? mail::parse_introduced_address(*said->value) : std::nullopt;
    return address.has_value() == said->value.has_value();
}

std::optional<std::string> known(const std::string& address) {
    return address == "unknown" ? std::nullopt : std::optional(address);
}

}  // namespace

void Session::offer_introductions() {
    if (!is_front_end_) return;
    if (meet_) say(joined("250-XCLIENT", of_xclient, may_name_logins_));
    say(joined("250-XFORWARD", of_xforward, false));
}

void Session::xclient(std::string_view argument) {
    if (!is_front_end_ || !meet_) return bad_command("500 unimplemented (#5.5.1)");
    spent_ = true;
    if (transaction_) return bad_command(in_transaction);
    const auto attributes = parse(argument, of_xclient);
    if (!attributes) return bad_command(syntax);
    const auto* const login = find(*attributes, "LOGIN");
    if (login != nullptr && !may_name_logins_)
        return refuse("authentication", "550 this front end may not name logins (#5.7.0)");
    // As qmail-authd calls it: a login that is held, or has a budget, has no second name.
    const auto account =
        login != nullptr && login->value ? auth::canonical_name(*login->value, "") : std::nullopt;
    if (login != nullptr && login->value && !account)
        return refuse("syntax", "501 LOGIN takes user@domain (#5.5.4)");
    Acquaintance whom{known(client_.ip), client_.host, known(client_.local_ip)};
    if (!take_address(*attributes, "ADDR", whom.ip) || !take_address(*attributes, "DESTADDR", whom.local_ip))
        return bad_command(syntax);
    if (const auto* const name = find(*attributes, "NAME")) whom.host = name->value;
    try {
        const auto met = meet_(whom);
        if (!met) {
            refuse("rule", denied, std::nullopt, "the rule for " + whom.ip.value_or("unknown"));
            closing_ = true;
            return;
        }
        start_anew(*met);
    } catch (const Error& error) {
        return refuse("trouble", "451 unable to look up the rules for that client (#4.3.0)", std::nullopt,
                      error.what());
    }
    if (account) {
        client_.user = account;
        login_was_named_ = true;
    }
    // Until the client says it itself.
    const auto* const proto = find(*attributes, "PROTO");
    extended_ = proto != nullptr && proto->value && equal_ignoring_case(*proto->value, "ESMTP");
    if (const auto* const helo = find(*attributes, "HELO"); helo != nullptr && helo->value) {
        helo_ = helo->value;
        chain_.heard_helo(*helo_);
    }
    channel_.reply(settings_.opening());
}

// What was known came of another client, and TLS is between the front end and us.
void Session::start_anew(const policy::Client& client) {
    forget_the_client();
    client_ = client;
    login_was_named_ = false;
    if (authority_ != nullptr) authority_->set_client(client_.ip);
    if (tls_ == nullptr) return;
    tls_ = nullptr;
    tls_word_.clear();
    encryption_ = nullptr;
}

void Session::xforward(std::string_view argument) {
    if (!is_front_end_) return bad_command("500 unimplemented (#5.5.1)");
    if (transaction_) return bad_command(in_transaction);
    const auto attributes = parse(argument, of_xforward);
    if (!attributes) return bad_command(syntax);
    for (const mail::IntroductionAttribute& each : *attributes) {
        std::erase_if(forwarded_, [&](const auto& known) { return known.first == each.name; });
        forwarded_.emplace_back(each.name, each.value.value_or(""));
    }
    say("250 ok");
}

}  // namespace relais::smtpd
