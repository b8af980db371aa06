// What happens, and why, to a client that wants to send: everything that relay-explain knows about one
// question. Gathered by the code that qmail-smtpd decides with; text and JSON are made of it in
// explain/present.h.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "control/home.h"
#include "explain/rehearsal.h"
#include "explain/rules_of_client.h"
#include "policy/chain.h"

namespace relais::explain {

// Recipients of one question at most: they are one message's.
inline constexpr std::size_t recipient_limit = 100;

struct Question {
    std::string ip;                   // canonical
    std::optional<std::string> host;  // its name, for rules by name
    std::string helo;
    std::string sender;
    std::vector<std::string> recipients;  // none: one that is foreign for sure stands for them
    std::optional<std::string> user;      // as if authenticated
    std::string listener;                 // "": chosen by the client's family
    // How long logins from other addresses may be looked for among those of all.
    std::chrono::milliseconds login_search{1000};
};

// A line of a control file, "control/rcpthosts line 3".
struct Place {
    std::string file;
    std::size_t line;
    std::string text() const { return file + " line " + std::to_string(line); }
};
// The first line of a file below control/ that is this, without regard to case; nothing if there is none.
std::optional<Place> find_line(const control::Home& home, const std::string& name, std::string_view line);

struct Outcome {
    std::string recipient;
    policy::Verdict verdict;     // its cause is none also where the dialogue was refused before anybody asked
    policy::DomainMatch domain;  // what is known of its domain, also where the right came from elsewhere
    std::optional<Place> rule;   // of the line for which a check refuses
    std::optional<Place> place;  // of the entry that holds the domain
    std::optional<std::string>
        ours;  // where else it says that mail for the domain stays here: "control/locals line 1"
    Exchange exchange;
    bool accepted() const { return exchange.reply.starts_with("250"); }
};

struct Explanation {
    Question question;
    Listener listener;
    RulesOfServer rules;
    RuleMatch rule;
    std::string trouble;       // what cannot be read; the server then refuses everything for now
    bool own_address = false;  // the client's address is one of this machine's
    std::string turned_away;   // the client gets this instead of a greeting; "" if it is served
    policy::Client client;
    smtpd::Settings settings;
    opensmtp::OpenSmtpFinding login;
    std::optional<std::int64_t> login_age;  // seconds; nothing without entry or for one of the future
    std::int64_t lifetime = 0;              // seconds that a login counts
    bool bad_sender = false;
    std::optional<Place> bad_sender_place;
    policy::LocalSenders suspicion = policy::LocalSenders::off;
    Exchange mail;
    std::vector<Outcome> outcomes;
    std::vector<std::string> close_calls;
    std::vector<std::string> remedies;

    bool sample() const { return question.recipients.empty(); }
    // The right to send anywhere: rule, user or login. Nothing if there is none.
    std::optional<policy::Reason> right() const;
    bool all_accepted() const;
};

// Throws Error for what is not the server's trouble but ours.
Explanation explain(const control::Home& home, const Question& question);

// "anna over pop3, 12 min ago".
std::string login_words(const opensmtp::Entry& entry, std::optional<std::int64_t> age);

// What nearly decided otherwise, or will surprise (explain/close_calls.cc).
std::vector<std::string> find_close_calls(const control::Home& home, const Explanation& explanation);
// What can be done for a client that is refused, the best first (explain/remedies.cc).
std::vector<std::string> find_remedies(const control::Home& home, const Explanation& explanation);

}  // namespace relais::explain
