// How the queue tools show messages: a table for people, JSON for programs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/printable.h"
#include "control/home.h"
#include "mail/bounce_hints.h"
#include "queue/select.h"
#include "send/rewrite.h"

namespace relais::queue {

// What only other places know about a message.
struct Surroundings {
    const send::RewriteRules& rules;  // which recipients are local
    std::int64_t now;                 // unix seconds
    std::string why;                  // why it waits, in qmail-send's words, in lines; empty: not known
    std::string bounce_text;          // so far; for show
    std::string path;                 // of its file; for show
    const mail::HintTable* hints = nullptr;  // for what other servers said; null: none are shown
    std::optional<std::string> subject{};    // if it is wanted
};

// Which recipients are local, for show: where the control files cannot be read none is, and the log has a
// warning.
send::RewriteRules read_rules(const control::Home& home);

// When it is tried next, by the status block or else the schedule; 0: at once, or nobody can tell.
std::int64_t next_try(const SeenMessage& seen, const send::RewriteRules& rules);
// Why it waits, as far as the message itself tells; empty if it does not wait.
std::string reason(const SeenMessage& seen);

// The line above the table, and a message's lines in it.
std::string table_head();
std::string table_rows(const SeenMessage& seen, const Surroundings& around);
// One line: id, age, size, sender and recipients.
std::string summary(const SeenMessage& seen, std::int64_t now);
// Everything, in lines "name: value".
std::string details(const SeenMessage& seen, const Surroundings& around);
// One JSON object on one line, without line end.
std::string json(const SeenMessage& seen, const Surroundings& around);

// "45s", "12m", "3h", "2d".
std::string span_text(std::int64_t seconds);

}  // namespace relais::queue
