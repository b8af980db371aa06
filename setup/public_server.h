// A server as other mail servers see it: its names and addresses, what DNS says of them and of its domains,
// its certificate. Judged by what the large providers demand. Asks DNS, and qmail-stsd for policies; opens
// no file.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "authres/dmarc_record.h"
#include "authres/dns.h"
#include "setup/report.h"
#include "sts/protocol.h"

namespace relais::setup {

// A key that signs a domain's mail, or may.
struct PublicKey {
    std::string selector;
    int bits = 0;
    std::string record;  // what publishes it
    bool signs = true;
};

struct PublicDomain {
    std::string name;
    bool receives = true;
    std::vector<PublicKey> keys{};
    std::string trouble{};  // why its keys are not known
};

struct PublicServer {
    std::string me;
    std::string helo;
    std::vector<std::string> addresses{};  // canonical, that others see; empty: those of helo
    std::vector<PublicDomain> domains{};
    std::string certificate{};          // PEM, the server's own
    std::string certificate_trouble{};  // why there is none
};

// Of a host's addresses those by which its mail leaves: by outgoingip alone in a family for which that names
// one, and only in families of ipversions. All canonical; what is no address does not count. Pure.
std::vector<std::string> leaving_addresses(const std::vector<std::string>& own,
                                           const std::vector<std::string>& outgoingip,
                                           std::string_view ipversions);

struct PublicFinding {
    Report::Level level;
    std::string text;
    std::string remedy{};
};

// Asks qmail-stsd for a domain's policy; id: of the record in DNS.
using AskPolicy = std::function<sts::Found(const std::string& domain, const std::string& id)>;

class PublicLook {
  public:
    // Borrows all until it is gone.
    PublicLook(const PublicServer& server, authres::Dns& dns, AskPolicy policies, Deadline deadline)
        : server_(server),
          dns_(dns),
          policies_(std::move(policies)),
          deadline_(deadline),
          addresses_(server.addresses) {}

    // Everything. What others say is in the texts as printable ASCII. Never throws but for memory.
    std::vector<PublicFinding> look();

  private:
    using Level = Report::Level;
    struct Exchanger {
        std::string name;
        bool ours = false;
    };

    // public_host.cc: the server itself.
    void look_at_name();
    void look_at_reverse(const std::string& address);
    void look_at_certificate();
    void look_at_certificate_name(const std::string& name, bool demanded);
    // public_domain.cc: each of its domains.
    void look_at_domain(const PublicDomain& domain);
    std::vector<Exchanger> exchangers(const PublicDomain& domain);
    bool is_usable_exchanger(const std::string& domain, const std::string& name);
    void look_at_tlsa(const std::string& exchanger);
    // public_records.cc: what says who may send in their names.
    void look_at_spf(const std::string& domain, bool has_exchanger_here);
    std::string spf_to_publish(const std::string& domain, bool has_exchanger_here);
    void look_at_keys(const PublicDomain& domain);
    void look_at_key(const std::string& domain, const PublicKey& key);
    void look_at_dmarc(const std::string& domain);
    void look_at_dmarc_record(const std::string& domain, const std::string& place,
                              const authres::DmarcRecord& record);
    void look_at_reports(const std::string& domain, const std::string& uri);
    void look_at_policy(const std::string& domain, const std::vector<Exchanger>& exchangers);

    // DNS is silent: each further question would be waited for.
    bool gives_up() const { return unanswered_ >= 5; }
    // All addresses of a name; unanswered is set where DNS said nothing.
    std::vector<std::string> addresses_of(const std::string& name, bool& unanswered);
    bool is_one_of_ours(const std::vector<std::string>& addresses) const;
    // Asks. Where there is no answer that is a finding, and nothing is returned.
    std::optional<net::DnsAnswer> ask(net::RecordType type, const std::string& name);

    void add(Level level, std::string_view text, std::string_view remedy = "");
    void good(std::string_view text) { add(Level::good, text); }
    void note(std::string_view text, std::string_view remedy = "") { add(Level::note, text, remedy); }
    void worth(std::string_view text, std::string_view remedy) { add(Level::look, text, remedy); }
    void wrong(std::string_view text, std::string_view remedy) { add(Level::bad, text, remedy); }

    const PublicServer& server_;
    authres::Dns& dns_;
    AskPolicy policies_;
    Deadline deadline_;
    std::vector<std::string> addresses_;
    std::vector<PublicFinding> findings_{};
    unsigned unanswered_ = 0;  // questions
};

}  // namespace relais::setup
