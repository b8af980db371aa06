// When, and in which order, a message is sent: FUTURERELEASE (RFC 4865), DELIVERBY (RFC 2852), MT-PRIORITY
// (RFC 6710), and what waits for a domain at once, ETRN (RFC 1985). They are for logins, client certificates
// and RELAYCLIENT: whoever has mail kept in a queue, or sent before that of others, must answer for it.
#include <fmt/core.h>

#include "base/printable.h"
#include "base/text.h"
#include "base/time.h"
#include "mail/transfer.h"
#include "smtpd/session.h"

namespace relais::smtpd {

// As DSN, before a login too where nothing is taken without one: clients do not ask again.
void Session::offer_transfer() {
    if (!is_trusted() && !client_.submission) return;
    const std::int64_t longest = settings_.future_release.count();
    if (longest > 0)
        say(fmt::format("250-FUTURERELEASE {} {}", longest, mail::date_3339(now_seconds() + longest)));
    if (settings_.deliver_by) say("250-DELIVERBY");
    if (settings_.mt_priority) say("250-MT-PRIORITY");
    if (offers_etrn()) say("250-ETRN");
}

// A name, which may be none of ours, tells nobody what waits here.
void Session::etrn(std::string_view argument) {
    if (!offers_etrn() || !extended_) return bad_command("500 unimplemented (#5.5.1)");
    if (has_begun()) return say(message_has_begun);
    if (const auto first = missing()) return refuse("authentication", *first);
    const std::string_view domain = trim(argument);
    if (domain.empty() || domain.find_first_of(" \t<>") != std::string_view::npos)
        return bad_command("501 ETRN takes the name of a domain (#5.5.4)");
    if (!is_trusted() || !settings_.etrn.contains(domain))
        return bad_command("459 that is nothing you may ask for (#5.7.1)");
    if (!ask_for_turn_(domain)) return say("458 unable to ask for that now, try again later (#4.3.0)");
    log_(notice_event(fmt::format("etrn from {} for {}", client_.ip, printable(domain))));
    say("250 ok, what waits for that domain is tried now");
}

std::optional<std::string_view> Session::take_transfer(const mail::TransferRequest& request) {
    if (!request.said()) return std::nullopt;
    const std::int64_t longest = settings_.future_release.count();
    if (!is_trusted() || (request.holds() && longest == 0) || (request.by && !settings_.deliver_by) ||
        (request.priority && !settings_.mt_priority))
        return unknown_parameter;
    const std::int64_t now = now_seconds();
    mail::EnvelopeOptions& options = transaction_->options;
    if (request.holds()) {
        const std::int64_t release = request.hold_for ? now + *request.hold_for : *request.hold_until;
        if (release <= now) return "501 the time of HOLDUNTIL has passed (#5.5.4)";
        if (release > now + longest) return "501 that is longer than I keep a message (#5.5.4)";
        options.release = release;
    }
    options.priority = request.priority.value_or(0);
    if (!request.by) return std::nullopt;
    options.deliver_by = request.by;
    options.deliver_by->when += now;
    if (options.deliver_by->returns && options.deliver_by->when <= options.release)
        return "501 BY ends before the message is sent (#5.5.4)";
    return std::nullopt;
}

}  // namespace relais::smtpd
