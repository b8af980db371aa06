// Questions to qmail-resolver, the one process that holds the DNS cache and parses DNS. A client connects to
// the stream socket "resolver", asks any number of questions, and reads an answer to each. It need not wait
// for an answer before it asks again: up to pipeline_limit questions of a client are looked up at the same
// time.
//
//   question = length (2 octets, little-endian) type (2 octets) name
//   answer   = length (4 octets, little-endian) status (1 octet) secure (1 octet) ttl (4 octets)
//              canonical-name NUL count (2 octets) (preference (2 octets) text NUL)*
//
// text is a host name without the final dot (MX; empty for a null MX), an address in text form (A, AAAA), a
// name (CNAME, PTR), the joined strings (TXT; a NUL in them is read as '?') or "usage selector matching hex"
// (TLSA; empty for one that is too short). A length counts what follows it. Answers come in the order of the
// questions. Neither side trusts the other: every length has a limit, and whoever breaks the form loses the
// connection.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/deadline.h"
#include "base/fd.h"
#include "control/home.h"

namespace relais::net {

enum class RecordType : std::uint16_t { a = 1, cname = 5, ptr = 12, mx = 15, txt = 16, aaaa = 28, tlsa = 52 };

enum class DnsStatus : std::uint8_t {
    found = 0,
    no_such_name = 1,    // NXDOMAIN
    no_such_record = 2,  // the name exists, without a record of that type
    failed = 3,          // SERVFAIL, no answer, no resolver: try again later
    bogus = 4,           // DNSSEC says the answer is forged: try again later
};

struct DnsRecord {
    std::uint16_t preference = 0;
    std::string text;
};

struct DnsAnswer {
    DnsStatus status = DnsStatus::failed;
    bool secure = false;  // validated by DNSSEC
    std::uint32_t ttl = 0;
    std::string canonical_name;
    std::vector<DnsRecord> records;

    static DnsAnswer without_records(DnsStatus status) {
        DnsAnswer answer;
        answer.status = status;
        return answer;
    }
};

// A domain name has at most 253 octets in text form (RFC 1035, 2.3.4).
inline constexpr std::size_t question_limit = 2 + 255;
// The server reads no further questions of a client that has so many under way.
inline constexpr std::size_t pipeline_limit = 16;
// A DNS message has at most 64 KiB; its records as text may be longer.
inline constexpr std::size_t answer_limit = 1024 * 1024;

// The encoders write the length in front; the decoders take what follows it, and answer nothing for anything
// that is not exactly right. A name too long for a question is cut, which makes it a name that does not
// exist.
std::string encode_question(RecordType type, std::string_view name);
struct DnsQuestion {
    RecordType type;
    std::string name;
};
std::optional<DnsQuestion> decode_question(std::string_view body);
std::string encode_answer(const DnsAnswer& answer);
std::optional<DnsAnswer> decode_answer(std::string_view body);

// The client. Connects on first use and again when the resolver was restarted; any failure is
// DnsStatus::failed.
class Resolver {
  public:
    explicit Resolver(control::Home home);
    // On a connection that is there already.
    Resolver(control::Home home, Fd connected);
    virtual ~Resolver();
    Resolver(const Resolver&) = delete;
    Resolver& operator=(const Resolver&) = delete;
    // All records of that type; aliases (CNAME) are followed. Never throws.
    virtual DnsAnswer ask(RecordType type, std::string_view name, Deadline deadline);
    // An answer to each, in their order; the questions are looked up at the same time. Never throws.
    virtual std::vector<DnsAnswer> ask_all(std::span<const DnsQuestion> questions, Deadline deadline);

    // The same for each group over a connection of its own: a group that is not answered keeps none of the
    // others waiting, as the order of answers would. Each has pipeline_limit questions at most.
    virtual std::vector<std::vector<DnsAnswer>> ask_apart(std::span<const std::vector<DnsQuestion>> groups,
                                                          Deadline deadline);

  private:
    // Asks those from answers.size() on; adds the answers that come.
    void try_ask_all(std::span<const DnsQuestion> questions, std::vector<DnsAnswer>& answers,
                     Deadline deadline);
    // Throws Error, also for what is no answer.
    static DnsAnswer read_answer(int fd, Deadline deadline);

    control::Home home_;
    Fd fd_;
};

}  // namespace relais::net
