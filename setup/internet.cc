#include "setup/internet.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <functional>
#include <map>
#include <system_error>

#include "authres/key_publication.h"
#include "authres/verification.h"
#include "base/error.h"
#include "base/file.h"
#include "base/idna.h"
#include "base/text.h"
#include "control/cages.h"
#include "control/owners.h"
#include "control/setting.h"
#include "explain/dns.h"
#include "explain/plain.h"
#include "explain/run_as.h"
#include "keyd/dkim_files.h"
#include "keyd/dkim_use.h"
#include "net/dns_name.h"
#include "net/own_addresses.h"
#include "net/socket.h"
#include "remote/addresses.h"
#include "setup/public_server.h"

namespace relais::setup {
namespace {

// A machine with more of them is asked about some by --domain.
constexpr std::size_t domains_limit = 100;
constexpr std::size_t certificate_limit = std::size_t{1} << 20;
constexpr Seconds patience{120};

// Fields between two of our own processes: each ends with NUL.
void put(std::string& out, std::string_view field) {
    out.append(field);
    out += '\0';
}

class Fields {
  public:
    explicit Fields(std::string_view text) : rest_(text) {}
    bool more() const { return !rest_.empty(); }
    std::string next() {
        const std::size_t end = std::min(rest_.find('\0'), rest_.size());
        std::string field(rest_.substr(0, end));
        rest_.remove_prefix(std::min(end + 1, rest_.size()));
        return field;
    }

  private:
    std::string_view rest_;
};

std::vector<std::string> public_addresses(const control::Home& home, const std::vector<std::string>& given) {
    std::vector<std::string> addresses;
    for (const std::string& text : given) {
        auto address = net::canonical_address(text);
        if (!address) throw_permanent("\"" + text + "\" is no address");
        addresses.push_back(*std::move(address));
    }
    if (!addresses.empty()) return addresses;
    for (const std::string& text : net::own_addresses(net::Loopback::without))
        if (const auto address = net::canonical_address(text);
            address && remote::kind_of(*address) == remote::AddressKind::global)
            addresses.push_back(*address);
    return leaving_addresses(addresses, control::read<"outgoingip">(home), control::read<"ipversions">(home));
}

// By name, whether mail for it is taken.
std::map<std::string, bool> domains_of(const control::Home& home, const std::vector<std::string>& given) {
    std::map<std::string, bool> domains;
    const auto add = [&](std::string_view text, bool receives) {
        const std::string name = ascii_domain(text);
        if (name.find('.') == std::string::npos || name.starts_with('.') || !net::is_askable_name(name))
            return;
        bool& known = domains[lower(name)];
        known = known || receives;
    };
    for (const std::string& text : control::read<"rcpthosts">(home)) add(text, true);
    for (const std::string& text : control::read<"locals">(home)) add(text, false);
    std::error_code unseen;
    for (const auto& entry : std::filesystem::directory_iterator(home.path("control/dkim"), unseen))
        add(entry.path().filename().string(), false);
    if (given.empty()) return domains;
    std::map<std::string, bool> chosen;
    for (const std::string& text : given) {
        if (!net::is_askable_name(text)) throw_permanent("\"" + text + "\" is no domain");
        const std::string name = lower(authres::without_final_dot(text));
        const auto known = domains.find(name);
        chosen[name] = known == domains.end() || known->second;
    }
    return chosen;
}

// What a process that opens keys says of them: trouble, then selector, bits, "1" if it signs, and record of
// each.
std::string keys_of(const control::Home& home, const std::string& domain) {
    std::string out;
    try {
        std::vector<keyd::DkimKeyFile> files;
        if (!keyd::list_dkim_selectors(home, domain).empty()) files = keyd::read_dkim_keys(home, domain, "");
        const keyd::DkimUse use = keyd::read_dkim_use(home, domain);
        put(out, "");
        for (const keyd::DkimKeyFile& file : files) {
            // What was taken out of use is published for what is still on its way.
            if (use.retired.contains(file.selector)) continue;
            put(out, file.selector);
            put(out, std::to_string(file.key->bits()));
            put(out, use.uses(file.selector) ? "1" : "0");
            put(out, authres::key_record_text(*file.key));
        }
    } catch (const Error& error) {
        out.clear();
        put(out, error.what());
    }
    return out;
}

// The same of the certificate: trouble, and the PEM block alone, for the key may stand beside it.
std::string certificate_of(const control::Home& home) {
    constexpr std::string_view begin = "-----BEGIN CERTIFICATE-----", end = "-----END CERTIFICATE-----";
    std::string out;
    try {
        const std::string text =
            read_file(home.control_file("servercert.pem"), certificate_limit).value_or("");
        const std::size_t first = text.find(begin);
        const std::size_t last = first == std::string::npos ? first : text.find(end, first);
        put(out, "");
        put(out, last == std::string::npos ? "" : text.substr(first, last + end.size() - first) + "\n");
    } catch (const Error& error) {
        out.clear();
        put(out, error.what());
        put(out, "");
    }
    return out;
}

// In a process that ends at once: what of private keys lies about in its memory is gone.
std::string without_traces(const std::function<std::string()>& work) {
    return explain::run_as(::geteuid(), ::getegid(), work);
}

PublicDomain read_domain(const control::Home& home, const std::string& name, bool receives) {
    PublicDomain domain{name, receives};
    const std::string said = without_traces([&] { return keys_of(home, name); });
    Fields fields(said);
    domain.trouble = fields.next();
    while (fields.more()) {
        PublicKey key;
        key.selector = fields.next();
        key.bits = static_cast<int>(parse_number(fields.next()).value_or(0));
        key.signs = fields.next() == "1";
        key.record = fields.next();
        domain.keys.push_back(std::move(key));
    }
    return domain;
}

PublicServer read_server(const Plan& plan, const InternetOptions& options, Report& report) {
    PublicServer server;
    server.me = plan.me;
    server.helo = control::read<"helohost">(plan.home);
    server.addresses = public_addresses(plan.home, options.addresses);
    const auto domains = domains_of(plan.home, options.domains);
    for (const auto& [name, receives] : domains) {
        if (server.domains.size() == domains_limit) {
            report.note(fmt::format("{} of {} domains are looked at", domains_limit, domains.size()),
                        "the others one by one: --domain NAME");
            break;
        }
        server.domains.push_back(read_domain(plan.home, name, receives));
    }
    const std::string said = without_traces([&] { return certificate_of(plan.home); });
    Fields fields(said);
    server.certificate_trouble = fields.next();
    server.certificate = fields.next();
    return server;
}

// In the process that looks: its findings, each as level, text and remedy.
std::string found(const PublicServer& server, const control::Home& home, net::Resolver& resolver) {
    authres::prepare_cryptography();
    ::tzset();  // it opens a file, and whoever compares the certificate's end with the clock calls it
    control::enter(control::doctor_cage, home);
    const Deadline deadline = Deadline::in(patience);
    authres::ResolverDns dns(resolver);
    sts::Policies policies(home);
    const auto ask_policy = [&](const std::string& domain, const std::string& id) {
        return policies.ask({domain, id}, deadline);
    };
    std::string out;
    for (const PublicFinding& each : PublicLook(server, dns, ask_policy, deadline).look()) {
        put(out, std::to_string(static_cast<int>(each.level)));
        put(out, each.text);
        put(out, each.remedy);
    }
    return out;
}

// It was confined, but read what anybody has written.
void tell(const std::string& said, Report& report) {
    Fields fields(said);
    while (fields.more()) {
        const auto level = parse_number(fields.next());
        const std::string text = explain::plain(fields.next());
        const std::string remedy = explain::plain(fields.next());
        if (!level || *level > static_cast<std::uint64_t>(Report::Level::bad) || text.empty()) continue;
        report.add(static_cast<Report::Level>(*level), text, remedy);
    }
}

}  // namespace

void look_at_internet(const Plan& plan, const InternetOptions& options, Report& report) {
    const PublicServer server = read_server(plan, options, report);
    explain::Dns dns(plan.home);
    const auto owner = control::Owners::read(plan.home).of(control::Role::qmailr);
    const std::string said =
        explain::run_as(owner.uid, owner.gid, [&] { return found(server, plan.home, dns.resolver()); });
    if (const std::string trouble = dns.trouble(); !trouble.empty())
        return report.bad("no DNS: " + trouble, "qmailctl start, or run this as root");
    tell(said, report);
    report.note("bulk mail needs List-Unsubscribe, too: that is the mailing-list manager's to write");
}

}  // namespace relais::setup
