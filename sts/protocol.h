// Questions to qmail-stsd: which policy of MTA-STS a domain has. Asked by qmail-remote before it connects to
// a domain's servers, and by route-explain. A client connects to the stream socket "sts", asks any number of
// questions one after the other, and reads an answer to each.
//
//   question = length (2 octets, little-endian) id-length (1 octet) id domain
//   answer   = length (4 octets, little-endian) 'P' ends (8 octets, little-endian) policy
//            | length (4 octets, little-endian) 'N' reason
//
// id is that of the record in DNS, empty where there is none or DNS does not say. ends: unix seconds. policy:
// as sts::text_of has it. reason: why there is none, for people. An answer takes answer_patience at most.
// Neither side trusts the other: every length has a limit, and whoever breaks the form loses the connection.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/deadline.h"
#include "base/fd.h"
#include "control/home.h"
#include "sts/policy.h"

namespace relais::sts {

// A name of a file, too.
inline constexpr std::size_t domain_limit = 240;
inline constexpr std::size_t question_head_size = 2;
inline constexpr std::size_t question_limit = 1 + id_limit + domain_limit;
inline constexpr std::size_t answer_head_size = 4;
inline constexpr std::size_t reason_limit = 500;
inline constexpr std::size_t answer_limit = 1 + 8 + policy_limit;
// How long qmail-stsd lets a client wait for a policy that is being fetched.
inline constexpr Seconds answer_patience{20};

struct Question {
    std::string domain;
    std::string id;
};

struct Found {
    enum class State {
        none,     // no policy is known
        policy,   // this is the policy
        unknown,  // qmail-stsd did not answer
    };
    State state = State::unknown;
    Policy policy{};
    std::int64_t ends = 0;
    std::string reason{};
};

// True if the domain may have a policy: a name in DNS of at most domain_limit octets, lower case.
bool is_domain(std::string_view domain);

std::string encode(const Question& question);
// What follows the length. Nothing for anything that is not exactly right.
std::optional<Question> decode_question(std::string_view body);
// Takes the first whole question off the front of input; nothing if there is none yet. broken: there never
// will be.
std::optional<Question> take_question(std::string& input, bool& broken);
// Of what is not unknown.
std::string encode(const Found& found);
std::optional<Found> decode_answer(std::string_view body);

// The client. Connects on first use, and again when the server was restarted.
class Policies {
  public:
    explicit Policies(control::Home home) : home_(std::move(home)) {}
    // Never throws. Without an answer by the deadline, which is to be later than answer_patience: unknown.
    Found ask(const Question& question, Deadline deadline);

  private:
    std::optional<Found> try_ask(std::string_view question, Deadline deadline);

    control::Home home_;
    Fd fd_;
};

}  // namespace relais::sts
