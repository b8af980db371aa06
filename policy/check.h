// A check: a name, what it needs to know, and an answer. The chain of all of them is in chain.cc. A check
// speaks with nobody; what it asks (control files, DNS, a small server of ours) it has from the facts.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "authres/dns.h"
#include "base/deadline.h"
#include "policy/client.h"
#include "policy/decision.h"
#include "policy/incoming_checks.h"
#include "policy/message_subjects.h"
#include "policy/policy.h"
#include "policy/settings.h"

namespace relais::policy {

// When all that a check needs is known. What is found at connect, helo and mail is said at RCPT, or nobody
// could write to our postmaster.
enum class Stage { connect, helo, mail, rcpt, data, end_of_data };

enum class Answer {
    pass,     // the next check is asked
    accept,   // it passes, and no further check is asked
    tag,      // it passes with a field on top
    defer,    // 4xx
    refuse,   // 5xx
    discard,  // 250, and it is thrown away: only by a rule of the administrator's that names it
};

// Why. A reason has its words where the decision is made; explain/ has its own.
enum class Cause {
    none,           // it passes
    bad_sender,     // control/badmailfrom
    local_sender,   // control/localsenders: an outsider with a sender of ours
    foreign_login,  // control/senderlogins: the login may not use this sender
    no_right,       // policy/decision.h says no
    too_long,       // the recipient with the value of RELAYCLIENT
    unknown,        // control/recipientcheck: nobody here gets mail for it
    cannot_tell,    // whether somebody does
    check,          // one of control/checks, which the verdict names
    spf,            // control/spfbehavior
    dmarc,          // control/dmarc
};

struct Result {
    Answer answer = Answer::pass;
    Cause cause = Cause::none;
    std::string reply{};      // of defer and refuse: code, text and enhanced status
    std::string why{};        // what the log says beside the reply
    std::string suspicion{};  // what the log says of what passes all the same
    std::string entry{};      // the line of the check's control file that says so
    bool unknown = false;     // the check cannot tell now
};

// What is known by now of a client and what it sends, and whom a check may ask. One for a session.
struct Facts {
    // Borrows all of them.
    Facts(Policy& rules, const Settings& set, const Client& who, authres::Dns* names)
        : policy(rules), settings(set), client(who), dns(names) {}

    Policy& policy;
    const Settings& settings;
    const Client& client;
    authres::Dns* dns;  // null: nobody to ask; what needs DNS passes

    bool rehearsal = false;             // nothing is counted
    bool has_recipient = false;         // the transaction has one already
    bool early_talker = false;          // it spoke before the greeting
    std::optional<std::string> helo{};  // connect: unknown
    std::string sender{};               // from mail on
    std::string recipient{};            // rcpt: with our name for an address literal of ours
    std::string queued{};               // the same as the queue shall have it
    Decision decision{};                // whether it may be written to
    bool spared = false;                // our postmaster, or abuse; at end_of_data: no recipient is another
    // From the first recipient that passes on, if the message is to be verified.
    std::unique_ptr<IncomingChecks> verification{};
    // The same, if lists are to be asked what they know of what is in the message.
    std::unique_ptr<MessageSubjects> subjects{};

    // All questions to DNS about one recipient, SPF's apart.
    Deadline dns_deadline{Deadline::never()};
    std::optional<int> list_score{};     // what lists in DNS say of the client and the sender together
    std::vector<std::string> notices{};  // for the log, of the instance and not of a client
    std::string held_login{};            // is held from this recipient on

    // True for a client that may send to our own domains alone. The open-smtp store is asked last. Throws
    // Error.
    bool is_stranger();
    // Another transaction begins.
    void begin_transaction(std::string_view new_sender);

  private:
    bool stranger_known_ = false;
};

struct Check {
    // That of its control file, where it has one. What control/checks knows by that name does as it says
    // there.
    std::string_view name;
    Stage stage;
    enum class Whom { all, strangers } whom;
    // True if our postmaster and abuse get mail in spite of it.
    bool spares_postmaster;
    // Whether it is to be asked at all, by the control files alone; null: always.
    bool (*active)(const Facts& facts);
    Result (*judge)(Facts& facts);
    // True if what it finds of a transaction's first recipient holds for all of them: it asks others.
    bool once = false;
};

Result refusal(Cause cause, std::string reply, std::string why = "");
// What a check of control/checks finds, with the reply of the mode refuse (or, while it cannot tell, defer).
Result found(std::string reply, std::string why, std::string entry = "");
// What it does while it cannot tell, and defers.
Result cannot_tell(std::string reply, std::string why);
Result suspicious(std::string text);

// Of dns_checks.cc
Result check_earlytalker(Facts& facts);
Result check_reversedns(Facts& facts);
Result check_mfcheck(Facts& facts);
// Of block_list_check.cc
Result check_rblsmtpd(Facts& facts);
Result check_dnsbl(Facts& facts);
Result check_dnsbl_of_message(Facts& facts);
// Of rate_checks.cc
Result check_ratelimits(Facts& facts);
Result check_greylist(Facts& facts);
// A refused recipient counts.
void count_refused(Facts& facts);
// Of helo_checks.cc
Result check_badhelo(Facts& facts);
Result check_heloself(Facts& facts);
// Of sender_checks.cc
Result check_badmailfrom(Facts& facts);
Result check_badmailfromnorelay(Facts& facts);
Result check_senderlogins(Facts& facts);
Result check_localsenders(Facts& facts);
// Of recipient_checks.cc
Result check_badrcptto(Facts& facts);
Result check_right(Facts& facts);
Result check_length(Facts& facts);
Result check_recipientcheck(Facts& facts);
// Of message_checks.cc
Result check_spf(Facts& facts);
Result check_dmarc(Facts& facts);

}  // namespace relais::policy
