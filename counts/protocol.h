// Questions to qmail-countd: how much of something there was in the last while, and when something was seen
// first. Asked by qmail-smtpd at RCPT, and by relay-explain. A client connects to the stream socket "counts",
// asks any number of questions one after the other, and reads an answer to each.
//
//   question = length (2 octets, little-endian) kind (1 octet) body
//   answer   = length (4 octets, little-endian) body
//
//   kind 'C', counts: (window (4) limit (4) amount (4) key-length (1) key)*
//       Adds to all of them, or, if one would go beyond its limit in the last window seconds, to none.
//       Answer: seconds (4) until there is room for all, 0 if all were added; number (1) of the one that has
//       to wait longest. An amount of 0 only asks.
//   kind 'M', mark: delay (4) patience (4) lifetime (4) key
//       Something was seen. It passes when it was first seen delay seconds ago, and is forgotten patience
//       seconds after the first time, or, once it has passed, lifetime seconds after the last one.
//       Answer: seconds (4) until it will pass; 0: it passes.
//   kind 'S', seen: the same; nothing is noted.
//   kind 'L', list: a key's beginning. Answer: lines for people, what was used last first.
//   kind 'F', forget: a key's beginning. Answer: how many (4).
//   kind 'H', hold: one count as in 'C', of a hard budget. If what was counted there is beyond the limit, its
//       login is held from now on, until it is released; the amount is ignored. Answer: 1 (4), or 0 if it was held, or is
//       not to be.
//   kind 'A', held: the key of a login. Answer: 1 (4) if it is held, 0 if not.
//   kind 'R', release: the key of a login. Its hard counters go, too. Answer: 1 (4), or 0 if it was not held.
//
// Keys are what asks' own; no octet below 33. Neither side trusts the other: every length has a limit, and
// whoever breaks the form loses the connection. So does whoever asks 'F' or 'R' and is neither root nor of
// the server's own uid. Another store can stand behind this: nothing of it is said here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/deadline.h"
#include "base/fd.h"
#include "control/home.h"

namespace relais::counts {

inline constexpr std::size_t key_limit = 255;
inline constexpr std::size_t counts_limit = 16;  // of one question
inline constexpr std::size_t question_head_size = 2;
inline constexpr std::size_t question_limit = 1 + counts_limit * (13 + key_limit);
inline constexpr std::size_t answer_limit = std::size_t{1} << 20;

struct Count {
    std::string key;
    std::uint32_t amount;
    std::uint32_t limit;
    std::uint32_t window;  // seconds
};

struct Mark {
    std::string key;
    std::uint32_t delay;
    std::uint32_t patience;
    std::uint32_t lifetime;
};

struct Question {
    enum class Kind : char {
        counts = 'C',
        mark = 'M',
        seen = 'S',
        list = 'L',
        forget = 'F',
        hold = 'H',
        held = 'A',
        release = 'R'
    };
    Kind kind = Kind::counts;
    std::vector<Count> counts{};  // counts, hold
    Mark mark{};                  // mark, seen
    std::string beginning{};      // list, forget; of held, release the whole key
};

// What is held of logins begins so.
inline constexpr std::string_view held_logins = "held:login:";
// The key of one of them. Of a very long login what every key of a counter has room for.
std::string held_key(std::string_view login);
// Stands for login in the keys of hard budgets' counters: rate:WHAT:SECONDS:login-hold:LOGIN.
inline constexpr std::string_view hard_budget = "login-hold";
// The login of such a counter; "" for any other.
std::string_view login_of_hard_budget(std::string_view key);

// A key of these words, with what no key may have replaced, and cut.
std::string make_key(std::string_view what, std::string_view of, std::string_view more = "");

std::string encode(const Question& question);
// What follows the length. Nothing for anything that is not exactly right.
std::optional<Question> decode_question(std::string_view body);
// Takes the first whole question off the front of input; nothing if there is none yet. broken: there never
// will be.
std::optional<Question> take_question(std::string& input, bool& broken);
std::string encode_answer(std::string_view body);

struct Verdict {
    std::uint32_t wait = 0;  // seconds; 0: there is room
    std::size_t number = 0;  // of the count that makes it wait
};

// The client. Connects on first use, and again when the server was restarted. Nothing is thrown: without an
// answer by the deadline there is none.
class Counts {
  public:
    explicit Counts(control::Home home) : home_(std::move(home)) {}
    std::optional<Verdict> count(const std::vector<Count>& counts, Deadline deadline);
    // Seconds until it passes.
    std::optional<std::uint32_t> mark(const Mark& mark, Deadline deadline);
    std::optional<std::uint32_t> seen(const Mark& mark, Deadline deadline);
    std::optional<std::string> list(const std::string& beginning, Deadline deadline);
    std::optional<std::uint32_t> forget(const std::string& beginning, Deadline deadline);
    // Holds the login of that hard budget, which is used up. True if it was not held before, and is now.
    std::optional<bool> hold(const Count& used_up, Deadline deadline);
    std::optional<bool> is_held(const std::string& key, Deadline deadline);
    // True if it was held.
    std::optional<bool> release(const std::string& key, Deadline deadline);

  private:
    std::optional<std::string> ask(const Question& question, Deadline deadline);
    std::optional<std::string> try_ask(std::string_view question, Deadline deadline);
    std::optional<bool> ask_of(Question::Kind kind, const std::string& key, Deadline deadline);
    std::optional<std::uint32_t> ask_number(const Question& question, Deadline deadline);

    control::Home home_;
    Fd fd_;
};

}  // namespace relais::counts
