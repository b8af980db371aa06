// Who we are for a server: our address and name (control/outgoingip, control/domainips), and the families of
// addresses we use (control/ipversions).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace relais::remote {

// "4", "6", "46" or "64": the families, the first one tried first.
struct Families {
    bool v4 = true;
    bool v6 = true;
    bool v4_first = false;
};
// Nothing if the text is none of these.
std::optional<Families> parse_families(std::string_view text);

struct Source {
    std::string v4;  // local address for servers of that family; empty: the kernel's choice
    std::string v6;
    std::string helo;  // empty: control/helohost
    bool usable = true;
    std::string line;         // the line that counts, for errors
    std::string complaint{};  // why it is not usable

    std::string identity() const { return v4 + " " + v6 + " " + helo; }
};

// What stands behind the colon of a line of domainips, and a line of outgoingip; not usable with its
// complaint otherwise.
Source parse_source(std::string_view text);
Source parse_outgoing(std::string_view text);

// Lines of domainips are "domain:address[,address][|name]": domain is a recipient's, "@domain" a sender's;
// ".suffix" and "@.suffix" all below it; empty everything else. A line of outgoingip is an address.
class Sources {
  public:
    Sources() = default;
    Sources(const std::vector<std::string>& outgoingip, const std::vector<std::string>& domainips);
    // By the sender's domain, else the recipients', else that of everything.
    const Source& choose(std::string_view sender, std::string_view recipient_domain) const;

  private:
    const Source* find(const std::string& prefix, std::string_view domain) const;
    std::unordered_map<std::string, Source> sources_;
    Source fallback_;
};

}  // namespace relais::remote
