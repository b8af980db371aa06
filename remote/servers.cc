#include "remote/servers.h"

#include <algorithm>
#include <random>

#include "base/text.h"
#include "mail/address.h"
#include "net/socket.h"

namespace relais::remote {
namespace {

// No honest domain needs more; a hostile one could keep us busy for hours.
constexpr std::size_t candidate_limit = 20;
constexpr std::size_t addresses_per_family = 8;
constexpr std::size_t group_size_limit = 200;

std::mt19937& shuffler() {
    static std::mt19937 generator{std::random_device{}()};
    return generator;
}

std::string without_final_dot(std::string_view name) {
    if (name.ends_with('.')) name.remove_suffix(1);
    return lower(name);
}

// The name that records were found at, if that is another one than was asked for.
std::string alias_behind(std::string_view name, const net::DnsAnswer& answer) {
    std::string canonical = without_final_dot(answer.canonical_name);
    return canonical == without_final_dot(name) ? "" : canonical;
}

}  // namespace

AddressPolicy address_policy(const SettingsFiles& files, const Settings& settings, LocalAddresses& ours,
                             std::string_view domain, const Route& route) {
    AddressPolicy policy;
    policy.families = settings.families;
    policy.allow_all = settings.privatemx.contains(domain);
    policy.allow_private =
        route.named || settings.rcpthosts.contains(domain) || files.in_morercpthosts(domain);
    policy.is_local = [&ours](const std::string& address) { return ours.contains(address); };
    return policy;
}

ServerSearch::ServerSearch(net::Resolver& resolver, std::string domain, Route route, AddressPolicy policy,
                           Seconds timeout, SearchTrace* trace)
    : resolver_(resolver),
      domain_(std::move(domain)),
      route_(std::move(route)),
      policy_(std::move(policy)),
      timeout_(timeout),
      patience_(3 * timeout),
      trace_(trace) {}

std::optional<Server> ServerSearch::next() {
    if (!begun_) {
        begun_ = true;
        begin();
        if (trace_ != nullptr)
            for (const Candidate& candidate : candidates_)
                trace_->hosts.push_back({candidate.preference, candidate.name});
    }
    while (ready_.empty())
        if (!resolve_next_preference()) return std::nullopt;
    Server server = std::move(ready_.front());
    ready_.pop_front();
    return server;
}

net::DnsAnswer ServerSearch::ask(net::RecordType type, const std::string& name) {
    const auto begin = Clock::now();
    net::DnsAnswer answer =
        resolver_.ask(type, name, earlier(Deadline::in(timeout_), Deadline(begin + patience_)));
    patience_ -= Clock::now() - begin;
    return answer;
}

void ServerSearch::begin() {
    if (!route_.usable) {
        none_ = {NoServer::unusable_route,
                 std::string(route_.file()) + " cannot be used: " + route_.line + ": " + route_.complaint};
        return;
    }
    if (!route_.host.empty()) {
        // The administrator's word: no policy, and what is wrong with it is not the sender's fault.
        policy_.allow_all = true;
        chosen_securely_ = true;
        none_ = {NoServer::route_unknown, route_.host, route_.file()};
        candidates_.push_back({0, without_final_dot(route_.host)});
        group_ = candidates_.front().name + ":" + std::to_string(route_.port);
        return;
    }
    if (const auto literal = mail::address_literal(domain_)) {
        candidates_.push_back({0, *literal});
        group_ = *literal + ":" + std::to_string(route_.port);
        return;
    }
    begin_by_mx();
}

void ServerSearch::begin_by_mx() {
    const net::DnsAnswer answer = ask(net::RecordType::mx, domain_);
    chosen_securely_ = answer.secure;
    domain_alias_ = alias_behind(domain_, answer);
    if (trace_ != nullptr) {
        trace_->asked_mx = true;
        trace_->mx_status = answer.status;
        trace_->mx_alias = domain_alias_;
    }
    switch (answer.status) {
        case net::DnsStatus::found:
            set_candidates(answer.records);
            break;
        // The domain itself is its mail exchanger. An alias without MX behind it ends here too: the addresses
        // are the alias's.
        case net::DnsStatus::no_such_record:
            set_candidates({{0, without_final_dot(domain_)}});
            if (trace_ != nullptr) trace_->no_exchanger = true;
            break;
        case net::DnsStatus::no_such_name:
            none_ = {NoServer::no_such_domain, domain_};
            break;
        default:
            none_ = {NoServer::dns_failed};
    }
}

void ServerSearch::set_candidates(const std::vector<net::DnsRecord>& records) {
    for (const net::DnsRecord& record : records)
        if (!record.text.empty()) candidates_.push_back({record.preference, without_final_dot(record.text)});
    // RFC 7505: one record, of the root.
    if (candidates_.empty()) none_ = {NoServer::null_mx, domain_};
    std::shuffle(candidates_.begin(), candidates_.end(), shuffler());
    std::stable_sort(candidates_.begin(), candidates_.end(),
                     [](const Candidate& a, const Candidate& b) { return a.preference < b.preference; });
    if (candidates_.size() > candidate_limit) {
        if (trace_ != nullptr) trace_->dropped = candidates_.size() - candidate_limit;
        candidates_.resize(candidate_limit);
    }

    std::vector<std::string> best;
    for (const Candidate& candidate : candidates_)
        if (candidate.preference == candidates_.front().preference) best.push_back(candidate.name);
    std::sort(best.begin(), best.end());
    for (const std::string& name : best) group_ += name + ",";
    group_ = group_.substr(0, group_size_limit) + ":" + std::to_string(route_.port);
}

// Looks up the servers of the best preference that is left. False if there is none.
bool ServerSearch::resolve_next_preference() {
    if (candidates_.empty()) return false;
    const std::uint16_t preference = candidates_.front().preference;
    bool is_me = false;
    while (!candidates_.empty() && candidates_.front().preference == preference) {
        Server server = resolve(candidates_.front().name);
        candidates_.pop_front();
        is_me = !keep_usable(server) || is_me;
        if (!server.addresses.empty()) ready_.push_back(std::move(server));
    }
    if (is_me) {
        is_me_ = true;
        ready_.clear();
        if (trace_ != nullptr) trace_the_rest(preference);
        candidates_.clear();
        // A better server whose address DNS did not tell just now may yet take it.
        if (!is_temporary(none_.reason)) none_ = {NoServer::is_me, domain_, loopback_address_};
        return false;
    }
    if (!private_address_.empty() && !any_address_ && !is_temporary(none_.reason))
        none_ = {NoServer::private_exchanger, domain_, private_address_};
    return true;
}

// What is as good as this host, or worse, is not used: its addresses are looked up to be shown.
void ServerSearch::trace_the_rest(std::uint16_t preference) {
    const NoServerFound found = none_;
    for (const Candidate& candidate : candidates_) {
        Server server = resolve(candidate.name);
        keep_usable(server);
    }
    none_ = found;
    for (SearchTrace::Host& host : trace_->hosts)
        if (host.preference >= preference)
            for (SearchTrace::Address& address : host.addresses) address.used = false;
}

// The host whose addresses are being looked up; nothing if nobody wants to know.
SearchTrace::Host* ServerSearch::traced(const std::string& name) {
    if (trace_ == nullptr) return nullptr;
    const auto found = std::find_if(trace_->hosts.begin(), trace_->hosts.end(),
                                    [&](const SearchTrace::Host& host) { return host.name == name; });
    return found == trace_->hosts.end() ? nullptr : &*found;
}

Server ServerSearch::resolve(const std::string& name) {
    Server server{name, {}};
    if (const auto address = net::canonical_address(name)) {
        // Only smtproutes and literals may give an address: an MX is a name.
        if (!route_.host.empty() || mail::address_literal(domain_)) server.addresses = {*address};
        if (!server.addresses.empty() && !is_of_used_family(*address)) {
            server.addresses.clear();
            none_ = {NoServer::wrong_family, name};
        }
        return server;
    }
    const Families& families = policy_.families;
    if (families.v4 && families.v4_first) add_addresses(net::RecordType::a, name, server);
    if (families.v6) add_addresses(net::RecordType::aaaa, name, server);
    if (families.v4 && !families.v4_first) add_addresses(net::RecordType::a, name, server);
    if (server.addresses.empty() && !is_temporary(none_.reason) && has_other_family(name))
        none_ = {NoServer::wrong_family, name};
    return server;
}

bool ServerSearch::is_of_used_family(const std::string& address) const {
    return address.find(':') != std::string::npos ? policy_.families.v6 : policy_.families.v4;
}

// True if the name has addresses, but only of the family that we do not use: that is our doing, not the
// sender's.
bool ServerSearch::has_other_family(const std::string& name) {
    if (policy_.families.v4 && policy_.families.v6) return false;
    Server other{name, {}};
    add_addresses(policy_.families.v4 ? net::RecordType::aaaa : net::RecordType::a, name, other);
    return !other.addresses.empty();
}

void ServerSearch::add_addresses(net::RecordType type, const std::string& name, Server& server) {
    net::DnsAnswer answer = ask(type, name);
    if (answer.status == net::DnsStatus::failed || answer.status == net::DnsStatus::bogus)
        none_ = {NoServer::dns_failed};
    if (answer.status == net::DnsStatus::found) {
        server.unvalidated = server.unvalidated || !answer.secure;
        server.alias_of = alias_behind(name, answer);
    }
    if (SearchTrace::Host* host = traced(name)) {
        // Failure of either family outweighs what the other one found: there may be more.
        if (!host->asked || answer.status == net::DnsStatus::found ||
            answer.status == net::DnsStatus::failed || answer.status == net::DnsStatus::bogus)
            host->status = answer.status;
        host->asked = true;
        if (host->alias_of.empty()) host->alias_of = alias_behind(name, answer);
    }
    std::shuffle(answer.records.begin(), answer.records.end(), shuffler());
    if (answer.records.size() > addresses_per_family) answer.records.resize(addresses_per_family);
    for (const net::DnsRecord& record : answer.records)
        if (const auto address = net::canonical_address(record.text)) server.addresses.push_back(*address);
}

Dane ServerSearch::dane(const Server& server) {
    if (net::canonical_address(server.name)) return {};
    if (!chosen_securely_) return {Dane::State::unvalidated, server.name};
    DaneQuestion question{server.name, server.alias_of, route_.port, !server.unvalidated, {}};
    // A certificate for the domain will do as well, but where the administrator has sent its mail elsewhere.
    if (route_.host.empty()) question.other_names = {without_final_dot(domain_), domain_alias_};
    return find_dane([this](net::RecordType type, const std::string& name) { return ask(type, name); },
                     question);
}

// Removes the addresses that must not be used. False if one of them is this host.
bool ServerSearch::keep_usable(Server& server) {
    bool is_me = false;
    SearchTrace::Host* host = traced(server.name);
    std::erase_if(server.addresses, [&](const std::string& address) {
        const AddressKind kind =
            policy_.is_local && policy_.is_local(address) ? AddressKind::ours : kind_of(address);
        const bool usable = policy_.allow_all ? kind != AddressKind::unusable
                                              : kind == AddressKind::global ||
                                                    (kind == AddressKind::private_ && policy_.allow_private);
        if (host != nullptr) host->addresses.push_back({address, kind, usable});
        if (policy_.allow_all) return !usable;
        if (kind == AddressKind::ours) is_me = true;
        if (kind_of(address) == AddressKind::ours) loopback_address_ = address;
        if (kind == AddressKind::private_) private_address_ = address;
        return !usable;
    });
    any_address_ = any_address_ || !server.addresses.empty();
    return !is_me;
}

}  // namespace relais::remote
