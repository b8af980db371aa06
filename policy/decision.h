// The right to relay: who may send to domains that are not ours. The one piece of code that decides it, for
// qmail-smtpd and for relay-explain; what it decides on is gathered by its callers. In this order:
//
//   RELAYCLIENT from the rules for the client's address; a certificate listed in control/tlsclients; an authenticated user; a live open-smtp entry (a login by POP
//   or IMAP from that address); else only recipients at the domains of rcpthosts and morercpthosts, and those without
//   a domain.
//
// Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "opensmtp/gate.h"

namespace relais::policy {

enum class Reason {
    client_rule,     // RELAYCLIENT is set for this address
    certificate,     // the client has shown a certificate that control/tlsclients lists
    authenticated,   // the client has proved who it is
    open_smtp,       // somebody logged in from there not long ago
    no_domain,       // <postmaster> and the like: a local address
    rcpthosts,       // listed in control/rcpthosts
    morercpthosts,   // listed in control/morercpthosts.cdb
    foreign_domain,  // none of these: refused
};
// "client_rule" and so on, for logs and JSON.
std::string_view name_of(Reason reason);

// What is known of a recipient's domain: no_domain, rcpthosts, morercpthosts or foreign_domain.
struct DomainMatch {
    Reason reason = Reason::foreign_domain;
    std::string detail;  // the entry that matched, or the domain
};

// What is asked in turn. Views are borrowed.
struct Inputs {
    std::optional<std::string_view> relayclient;
    std::optional<std::string_view> certificate{};  // subject of the client's, listed in control/tlsclients
    std::optional<std::string_view> user;           // authenticated
    const opensmtp::OpenSmtpFinding* open_smtp = nullptr;
    DomainMatch domain;
};

struct Decision {
    bool allowed = false;
    Reason reason = Reason::foreign_domain;
    std::string detail;  // the entry that matched, the value of RELAYCLIENT, the user, or the foreign domain
    std::string why;     // for the log: what was missing, or what gave the right
};

// True if the decision depends on the open-smtp store: only then is it worth a look.
bool needs_open_smtp(const Inputs& inputs);
// Decides. open_smtp may be missing if needs_open_smtp says no; otherwise a missing one counts as no entry.
Decision decide(const Inputs& inputs);
// The same as steps in their order, each with what was found, up to the one that decided.
struct Step {
    std::string_view question;  // "rule", "authentication", "open-smtp", "domain"
    bool decided;
    std::string evidence;
};
std::vector<Step> explain(const Inputs& inputs);

// Whether it is the client's own right, which holds for every recipient.
bool gives_right(Reason reason);

// The right to relay as such, whatever the recipient: nothing if the client has none.
std::optional<Reason> right_to_relay(const Inputs& inputs);

}  // namespace relais::policy
