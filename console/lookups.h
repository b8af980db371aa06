// What the console asks of an instance. Each of these runs in a process of its own, "qmail-console --look",
// which the half with rights starts: it becomes the role whose files it reads, and enters its cage, before it
// opens the first. What it finds are rows for that half to pass on. A row begins with its kind.
#pragma once

#include <optional>
#include <string>

#include "console/protocol.h"
#include "control/home.h"

namespace relais::console {

inline constexpr std::string_view look_option = "--look";
// Reads a question from standard input, and writes what it finds to standard output. The exit code.
int answer_one_question(const control::Home& home);

// How much is looked at, so that an answer comes while somebody waits for it.
struct LookLimits {
    std::size_t messages = 20'000;   // of the queue, the oldest first
    std::size_t shown = 200;         // messages or refusals in an answer
    std::size_t groups = 100;        // of each kind
    std::size_t remembered = 3'000;  // messages or refusals that qmail-traced has, the newest
};

// As qmails.
//   total   messages looked at, "cut" if there are more
//   age     word, messages                              up to 10 minutes, an hour, ...
//   group   destination, reason, messages, octets, birth of the oldest, next try, held
//   message id, birth, octets, state, tries, next try, sender, recipient, further ones, reason
// Times in seconds since 1970. arguments: of Verb::queue. A group is chosen by destination and reason.
Rows queue_rows(const control::Home& home, const Fields& arguments, const LookLimits& limits = {});

// As qmails: "hits", then what an act would hit, "hit", id, birth, octets, state, sender, recipient,
// further ones. ids: the messages; without any the filter counts. At most most_messages; a row "more" if
// there are others.
Rows hit_rows(const control::Home& home, const Fields& ids, const Fields& filter);

// As qmails: one message in the words of queue-list show, "text", words; "none" if it is not in the queue.
Rows detail_rows(const control::Home& home, const std::string& id);

// As qmailt: its life and that of what came out of it, "event", depth, id, microseconds, kind, words. "none".
Rows life_rows(const control::Home& home, const std::string& id);

// As qmailt, of the last day: "cause", name, refusals; "client", address, refusals; "refusal", id,
// microseconds, client, cause, sender, recipient, reply, why. "total" as above.
Rows refusal_rows(const control::Home& home, const Fields& arguments, const LookLimits& limits = {});

// As qmailt, of the last day: "destination", domain, success, deferral, failure, milliseconds on average, the
// slowest, words of the last failure. "total" as above.
Rows destination_rows(const control::Home& home, const LookLimits& limits = {});

// As qmailt, of the last day: "person", login, messages, recipients, octets, addresses, last time; "stranger"
// for clients without one, by address; "login", address, wrong logins. "total" as above.
Rows people_rows(const control::Home& home, const LookLimits& limits = {});

// With the right to ask qmail-send, or to take its lock: "done" or "not", id, words.
Rows act_rows(const control::Home& home, const Fields& arguments);

// What qmail-send has said, as it stands.
struct SenderTexts {
    std::string stat{};
    std::string running{};
};

// What qmail-send has for each destination, who has most to do first: "now", name, under way, queued,
// waiting, milliseconds that a delivery usually takes, seconds of the longest one under way, why it is not
// tried. "silent" where there are no answers, for there is no qmail-send. answers: asked by who may.
Rows sender_rows(const std::optional<SenderTexts>& answers, const LookLimits& limits = {});

}  // namespace relais::console
