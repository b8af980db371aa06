// What the half of qmail-console that speaks with browsers asks the half that has rights, over a stream
// socket pair that nobody else has. The first is where foreign octets are parsed, so the second believes
// nothing: it keeps the sessions, looks at the operator's role and the token of a form itself, and checks
// each argument.
//
//   frame    = length (4 octets, little-endian) fields      both ways, at most frame_limit octets
//   fields   = (length (4 octets, little-endian) octets)*
//   question = id, verb, session, "live" or "", token, client, argument*
//   answer   = id, status, operator, role, token, data       data: fields, of which each is a row, fields again
//
// A live question comes from a page that renews itself: it does not keep a session from ending. Answers come
// in any order.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace relais::console {

inline constexpr std::size_t frame_limit = std::size_t{4} << 20;
inline constexpr std::size_t question_limit = std::size_t{128} << 10;
// Messages that one act may name, and octets of any other argument.
inline constexpr std::size_t most_messages = 1000;
inline constexpr std::size_t argument_limit = 400;

using Fields = std::vector<std::string>;
using Rows = std::vector<Fields>;

std::string pack(const Fields& fields);
std::optional<Fields> unpack(std::string_view octets);
std::string pack_rows(const Rows& rows);
std::optional<Rows> unpack_rows(std::string_view octets);
std::string frame(const Fields& fields);
// Takes one whole frame from the beginning of input. broken: there is none, and never will be.
std::optional<Fields> take_frame(std::string& input, std::size_t limit, bool& broken);

enum class Role { reader, operating };
std::string_view role_name(Role role);
// Nothing for a word that is neither "read-only" nor "operator".
std::optional<Role> parse_role(std::string_view word);

enum class Verb {
    login,         // name, password; answered with a session
    once,          // the secret of a one-time login
    logout,        // "everywhere" or ""
    hello,         // answered with who it is
    queue,         // destination, reason, state, sender, recipient; each may be empty
    message,       // id
    detail,        // id: as queue-list shows it
    refusals,      // address of a client, cause; each may be empty
    destinations,  //
    sender,        // what qmail-send has for each destination now
    people,        //
    doctor,        //
    settings,      //
    relay,         // client's address, sender, recipient
    route,         // recipient
    matching,      // as queue: the messages that an act would hit
    named,         // id*: the same for these
    act,           // act, id*
    open,          // from where logins have opened SMTP
    held,          // logins that are held by control/ratelimits
    person,        // one of person_acts, whom
};

struct VerbRow {
    Verb verb;
    std::string_view name;
    std::size_t least, most;  // arguments
    bool session;             // it needs one
    bool operating;           // of an operator, with the token
};
inline constexpr VerbRow verbs[] = {
    {Verb::login, "login", 2, 2, false, false},
    {Verb::once, "once", 1, 1, false, false},
    {Verb::logout, "logout", 1, 1, true, false},
    {Verb::hello, "hello", 0, 0, true, false},
    {Verb::queue, "queue", 5, 5, true, false},
    {Verb::message, "message", 1, 1, true, false},
    {Verb::detail, "detail", 1, 1, true, false},
    {Verb::refusals, "refusals", 2, 2, true, false},
    {Verb::destinations, "destinations", 0, 0, true, false},
    {Verb::sender, "sender", 0, 0, true, false},
    {Verb::people, "people", 0, 0, true, false},
    {Verb::doctor, "doctor", 0, 0, true, false},
    {Verb::settings, "settings", 0, 0, true, false},
    {Verb::relay, "relay", 3, 3, true, false},
    {Verb::route, "route", 1, 1, true, false},
    {Verb::matching, "matching", 5, 5, true, true},
    {Verb::named, "named", 1, most_messages, true, true},
    {Verb::act, "act", 2, most_messages + 1, true, true},
    {Verb::open, "open", 0, 0, true, false},
    {Verb::held, "held", 0, 0, true, false},
    {Verb::person, "person", 2, 2, true, true},
};
const VerbRow& row_of(Verb verb);

// As queue-list has them (queue/select); "" for any.
inline constexpr std::string_view queue_states[] = {"",      "new",      "deferred", "partly", "held",
                                                    "later", "bouncing", "done",     "damaged"};

inline constexpr std::string_view acts[] = {"hold", "release", "retry", "delete", "bounce"};
// close: an address that a login has opened; let: a login that is held; hold: what a login has queued.
inline constexpr std::string_view person_acts[] = {"close", "let", "hold"};

struct Question {
    std::uint64_t id = 0;
    Verb verb = Verb::queue;
    std::string session{};
    bool live = false;
    std::string token{};
    std::string client{};  // the address that it comes from, as far as the first half knows
    Fields arguments{};
};

enum class Status {
    done,
    login,    // no such session, or it has ended
    refused,  // a wrong password, a role that may not, a token that is wrong; a row says why
    wrong,    // an argument that is none; a row says which
    busy,     // too much is asked at once
    failed,   // a row says what was in the way
};

struct Answer {
    std::uint64_t id = 0;
    Status status = Status::failed;
    std::string name{};  // of the operator
    Role role = Role::reader;
    std::string token{};  // for his forms; of login and once: his session
    Rows rows{};
};

std::string encode(const Question& question);
std::optional<Question> decode_question(const Fields& fields);
std::string encode(const Answer& answer);
std::optional<Answer> decode_answer(const Fields& fields);

// What is wrong with the arguments of a question, "" if nothing is. What passes may stand in the arguments of
// a program: it begins with no dash and has no control characters; an id is a number, an act one of acts.
std::string fault_of(const Question& question);

}  // namespace relais::console
