// Asking qmail-authd, the one process that reads passwords, whether a login is right. A client connects to a
// stream socket, sends one request, reads one answer, and closes.
//
//   request = length (2 octets, little-endian) kind (1 octet) user NUL service NUL address NUL challenge NUL secret NUL
//   answer  = length (2 octets, little-endian) result (1 octet) name NUL uid NUL gid NUL groups NUL home NUL shell NUL
//             maildir NUL text NUL
//
// kind: 'P' secret is a password, or the APOP digest (RFC 1939) of the challenge in 32 hexadecimal digits;
// 'C' secret is the CRAM-MD5 response (RFC 2195) to the challenge in 32 hexadecimal digits; 'S' asks with
// what salt the user's SCRAM-SHA-256 verifier was made: the answer's text is "ITERATIONS SALT", whether there
// is such a user or not; 'F' secret is the proof (RFC 5802) for the messages in challenge: the answer's text
// is the server's signature; 'B' secret is a bearer token, challenge the mechanism's name; 'M' asks what can
// succeed, the other fields are empty: the answer's text is words of offers_... below; 'W' asks the same, and
// the connection then stays open for as long as that answer holds. Salt, proof and signature are base64.
// result: 'K' right, 'R' refused, 'T' cannot be told now. groups are numbers with commas between them. A
// length counts what follows it. The client trusts the server. No field of a request is trusted, for all of
// them come from the network.
//
// There are two sockets, each of mode 0600 and its client's, so that the socket tells who asks, as the
// queue's do:
//   auth       root (checkpassword, qmail-popup): the answer says as whom the session goes on
//   auth-smtp  qmaild (qmail-smtpd): the answer has the account's name and nothing else of it
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/deadline.h"
#include "base/fd.h"
#include "control/home.h"

namespace relais::auth {

enum class RequestKind : char {
    password = 'P',
    cram_md5 = 'C',
    scram_salt = 'S',
    scram_proof = 'F',
    token = 'B',
    methods = 'M',
    watch = 'W',
};

inline constexpr std::string_view login_socket = "auth";
inline constexpr std::string_view smtp_socket = "auth-smtp";

inline constexpr std::string_view offers_password = "password";  // somebody has one
inline constexpr std::string_view offers_challenge =
    "challenge";                                             // APOP, CRAM-MD5: somebody's secret is stored
inline constexpr std::string_view offers_scram = "scram";    // somebody has a verifier
inline constexpr std::string_view offers_bearer = "bearer";  // tokens can be validated

// Views only: a request holds a password, which stays where it is and is wiped there.
struct Request {
    RequestKind kind = RequestKind::password;
    std::string_view user;       // as the client gave it
    std::string_view service;    // "pop3", "smtp": for the log
    std::string_view address;    // of the client; empty if unknown
    std::string_view challenge;  // with its angle brackets
    std::string_view secret;
};

enum class Result : char { right = 'K', refused = 'R', temporary = 'T' };

struct Answer {
    Result result = Result::temporary;
    std::string name;  // the account in its one spelling, user@domain; or the system's user
    uid_t uid = 0;
    gid_t gid = 0;
    std::vector<gid_t> groups;  // supplementary ones
    std::string home;
    std::string shell;
    std::string maildir;  // relative to home or absolute; empty: as the service has it
    std::string text;     // why not, for the log of the client

    bool operator==(const Answer&) const = default;
};
// Without an account.
Answer answer_of(Result result, std::string text = "");

// Tokens and the messages of SCRAM are long.
inline constexpr std::size_t request_limit = 12288;
inline constexpr std::size_t answer_limit = 16384;

// The encoders write the length in front; the decoders take what follows it, and answer nothing for anything
// that is not exactly right. A NUL in a field, or fields too long, make an encoded request empty: it cannot
// be asked.
std::string encode_request(const Request& request);
std::optional<Request> decode_request(std::string_view body);  // views into body
std::string encode_answer(const Answer& answer);
std::optional<Answer> decode_answer(std::string_view body);

// How long a login waits for its answer: longer than the longest delay of qmail-authd and many others' turns
// before ours.
inline constexpr Seconds login_patience{120};

// Asks. Whatever goes wrong on the way is Result::temporary with the reason in text; never throws.
Answer ask(const control::Home& home, const Request& request, Deadline deadline,
           std::string_view socket = login_socket);
// The two halves of it. begin throws Error, permanent where the request cannot be put; finish does not throw,
// and closes nothing.
Fd begin(const control::Home& home, const Request& request, Deadline deadline, std::string_view socket);
Answer finish(int fd, Deadline deadline);

}  // namespace relais::auth
