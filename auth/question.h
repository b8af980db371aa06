// What the half of qmail-authd that speaks with clients asks of the half that starts others: one packet of
// one size, in which each field has its place, so that root reads no lengths. With it goes a descriptor:
// where the answer is written (auth/protocol.h), or the channel of a process that checks hashes.
#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "sasl/secret.h"

namespace relais::auth {

enum class Helper : char {
    none = '-',
    hashes = 'H',     // a process that checks hashes; all fields are empty
    pam = 'P',        // user is one of the system's
    program = 'A',    // control/authprogram: user, secret
    challenge = 'C',  // the same for CRAM-MD5: user, secret is the response, challenge
    validator = 'V',  // control/authbearer: user, perhaps empty, secret is the token, challenge the mechanism
    dovecot = 'D',
};

struct Question {
    Helper helper = Helper::none;
    std::string_view user{};
    std::string_view service{};  // for the environment, as the other two
    std::string_view address{};
    std::string_view challenge{};
    std::string_view secret{};
};

inline constexpr std::array<std::size_t, 5> question_fields = {256, 64, 64, 1024, 12288};
inline constexpr std::size_t question_size = 1 + 256 + 64 + 64 + 1024 + 12288;

// Each field ends with a NUL and is filled up with NULs; empty if one does not fit or has a NUL in it.
Secret encode_question(const Question& question);
// Views into packet. Nothing for what encode_question does not make.
std::optional<Question> decode_question(std::string_view packet);

}  // namespace relais::auth
