// DNS data from a file in RFC 1035's master file form, as the checks' source of answers: for tests and for
// people who want to know what a record would do before they publish it.
//
// Read are $ORIGIN, $TTL, comments, parentheses, quotes, escapes, relative names, '@', a blank in the place
// of the owner, TTLs with units, class IN, and wildcards (RFC 4592). Types: A, AAAA, CNAME, MX, PTR, TXT;
// others are skipped, their names exist. A TXT string may be longer than 255 octets. Beyond the RFC there are
// two types of our own,
//
//     name  TIMEOUT  [TYPE...]
//     name  SERVFAIL [TYPE...]
//
// which leave questions for the name without an answer: those of these types, or all that no record of it
// answers.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "authres/dns.h"

namespace relais::authres {

// The largest zone file that is read.
inline constexpr std::size_t zone_limit = std::size_t{16} * 1024 * 1024;

class Zone {
  public:
    // name is that of the file, for errors. Throws a permanent Error "NAME:LINE: ..." for what cannot be
    // read.
    static Zone parse(std::string_view text, std::string_view name);
    // Reads the file. Throws Error.
    static Zone read(const std::string& path);

    // Aliases are followed. Names without data or descendants do not exist.
    net::DnsAnswer answer(net::RecordType type, std::string_view name) const;

  private:
    friend class ZoneParser;
    struct Record {
        net::RecordType type;
        std::uint32_t ttl;
        net::DnsRecord data;
    };
    struct Node {
        std::vector<Record> records;
        std::vector<net::RecordType> silent;  // types that get no answer
        bool otherwise_silent = false;        // all types without a record
    };

    // The node for the name of this key, a wildcard's too. nullptr if it has none; exists says whether there
    // is something below.
    const Node* find(const std::string& key, bool& exists) const;
    bool exists(const std::string& key) const;

    // By name: its labels in lower case, the last one first, each after its length. What is below a name
    // begins with its key.
    std::map<std::string, Node> nodes_;
};

class ZoneDns final : public Dns {
  public:
    explicit ZoneDns(Zone zone) : zone_(std::move(zone)) {}
    std::vector<net::DnsAnswer> ask_all(std::span<const net::DnsQuestion> questions,
                                        Deadline deadline) override;

  private:
    Zone zone_;
};

}  // namespace relais::authres
