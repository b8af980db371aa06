// Where a recipient of the envelope goes: envnoathost, percenthack, locals and virtualdomains, as qmail-send
// reads them. Pure but for RewriteRules::read. Also for the tools that explain a route.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "control/home.h"
#include "send/channel.h"

namespace relais::send {

class RewriteRules {
  public:
    RewriteRules() = default;
    // Lines as the control files have them. Lines of virtualdomains without a colon do not count; of two
    // lines with the same key the last one counts.
    RewriteRules(std::string envnoathost, const std::vector<std::string>& locals,
                 const std::vector<std::string>& percenthack, const std::vector<std::string>& virtualdomains);
    // From control/. Throws Error.
    static RewriteRules read(const control::Home& home);

    const std::string& envnoathost() const { return envnoathost_; }
    bool is_local(std::string_view domain) const;
    bool has_percenthack(std::string_view domain) const;
    bool has_locals() const { return !locals_.empty(); }
    bool has_virtual_domains() const { return !virtualdomains_.empty(); }
    // The prefix for user@domain, domain, .suffix (longest first) or everything, in this order; nullptr if no
    // key matches. An empty prefix is an exception: the address is remote.
    const std::string* virtual_prefix(std::string_view address) const;
    // The same with the key that matched in front: a line of virtualdomains.
    using VirtualDomain = std::pair<const std::string, std::string>;
    const VirtualDomain* virtual_domain(std::string_view address) const;

  private:
    std::string envnoathost_;
    std::unordered_set<std::string> locals_;
    std::unordered_set<std::string> percenthack_;
    std::unordered_map<std::string, std::string> virtualdomains_;
};

struct Route {
    Channel channel = Channel::remote;
    std::string address;  // for the delivery: local with a virtual domain's prefix
    std::string plain;    // the same without that prefix: for bounces and VERP
    std::string host;     // remote: the domain, as written

    bool is_local() const { return channel == Channel::local; }
};

// What its deliveries are counted under: a remote one by its domain, a local one by its address.
std::string destination_name(const Route& route);
// A local one's user, as far as the address tells: its extensions, and the users of a virtual domain, are
// his.
std::string user_name(const Route& route);

// What rewrite met on its way: for the tools that explain a route.
struct RewriteTrace {
    bool added_host = false;               // the address had no domain: envnoathost
    std::vector<std::string> percenthack;  // the address after each turn
    const RewriteRules::VirtualDomain* virtual_domain =
        nullptr;  // the line that counts, if the domain is not in locals
};

Route rewrite(const RewriteRules& rules, std::string_view recipient, RewriteTrace* trace = nullptr);

// The envelope sender for one recipient: "list-@host-@[]" becomes "list-joe=example.org@host" for
// joe@example.org (VERP); any other sender stays as it is.
std::string expand_verp(std::string_view sender, std::string_view recipient);
bool is_verp(std::string_view sender);
// "list-@host" of a VERP sender.
std::string_view verp_base(std::string_view sender);

}  // namespace relais::send
