// Asking qmail-authd, the one process that reads passwords, whether a login is right. A client connects to the stream
// socket "auth", sends one request, reads one answer, and closes.
//
//   request = length (2 octets, little-endian) kind (1 octet) user NUL service NUL address NUL challenge NUL secret NUL
//   answer  = length (2 octets, little-endian) result (1 octet) name NUL uid NUL gid NUL groups NUL home NUL shell NUL
//             maildir NUL text NUL
//
// kind: 'P' secret is a password, or the APOP digest (RFC 1939) of the challenge in 32 hexadecimal digits; 'C' secret is the
// CRAM-MD5 response (RFC 2195) to the challenge in 32 hexadecimal digits; 'M' asks what is offered, the other fields are
// empty: the answer's text is "challenge" if some account has a stored secret, so that APOP and CRAM-MD5 can succeed.
// result: 'K' right, 'R' refused, 'T' cannot be told now. groups are numbers with commas between them. A length counts what
// follows it. The client is root (or the instance's one user: the socket has mode 0600), and still no field of a request
// is trusted, for all of them come from the network. The client trusts the server.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/deadline.h"
#include "control/home.h"

namespace relais::auth {

enum class RequestKind : char { password = 'P', cram_md5 = 'C', methods = 'M' };

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

inline constexpr std::size_t request_limit = 2048;
inline constexpr std::size_t answer_limit = 16384;

// The encoders write the length in front; the decoders take what follows it, and answer nothing for anything that is
// not exactly right. A NUL in a field, or fields too long, make an encoded request empty: it cannot be asked.
std::string encode_request(const Request& request);
std::optional<Request> decode_request(std::string_view body);  // views into body
std::string encode_answer(const Answer& answer);
std::optional<Answer> decode_answer(std::string_view body);

// Asks. Whatever goes wrong on the way is Result::temporary with the reason in text; never throws.
Answer ask(const control::Home& home, const Request& request, Deadline deadline);

}  // namespace relais::auth
