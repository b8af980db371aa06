#include "dmarcrpt/collector.h"

#include <fmt/core.h>
#include <time.h>

#include <algorithm>

#include "authres/dns.h"
#include "base/error.h"
#include "base/program.h"
#include "control/cages.h"
#include "dmarcrpt/destinations.h"
#include "explain/run_as.h"
#include "net/resolver_protocol.h"
#include "packed/unpack.h"
#include "trace/store.h"

namespace relais::dmarcrpt {
namespace {

constexpr std::uint64_t a_second = 1'000'000;
// What is handed over at once; the rest comes with the next round.
constexpr std::size_t round_octets = std::size_t{16} << 20;
constexpr std::size_t round_packets = 100;
constexpr Seconds round_time{60};
// Domains whose servers are silent must not use up a run.
constexpr Seconds patience_of_domain{5};
constexpr Seconds reading_time{120};

void read_file_of(const std::string& path, std::uint64_t begin, Deadline deadline, Collection& collection) {
    try {
        trace::Database(path, trace::Database::Mode::read)
            .each(event_name, begin * a_second, (begin + a_day) * a_second, [&](const trace::Record& record) {
                if (auto seen = observation_of(record)) collection.add(*std::move(seen));
                return !deadline.passed();
            });
    } catch (const Error& error) {
        log_line("warning: left out: " + path + ": " + error.what());
    }
}

// Messages, then refusals; each in the order of time.
Collection collect(const control::Home& home, std::uint64_t begin) {
    Collection collection;
    const Deadline deadline = Deadline::in(reading_time);
    for (const char kind : {'m', 'r'})
        for (const std::string& path : trace::files_of(home.path("trace"), kind))
            read_file_of(path, begin, deadline, collection);
    if (deadline.passed()) log_line("warning: there was more than could be read in time");
    if (collection.left_out() > 0)
        log_line(fmt::format("warning: {} messages of {} are of domains for which there was no room",
                             collection.left_out(), day_text(begin)));
    return collection;
}

Packet packet_for(authres::Dns& dns, const Report& report) {
    Packet packet{Fate::nowhere, report.domain, report.begin, report.end};
    const Destinations places = find_destinations(dns, report.domain, Deadline::in(patience_of_domain));
    if (places.to.empty()) {
        if (places.failed) packet.fate = Fate::late;
        return packet;
    }
    std::string content = packed::gzip(to_xml(report));
    for (const Destination& place : places.to)
        if (place.limit == 0 || content.size() <= place.limit) packet.to.push_back(place.address);
    if (packet.to.empty() || content.size() > packet_limit) {
        log_line(fmt::format("warning: the report of {} is too long for all who get it: {} octets",
                             report.domain, content.size()));
        packet.to.clear();
        return packet;
    }
    packet.fate = Fate::send;
    packet.content = std::move(content);
    return packet;
}

// What is still to be reported, those last that were late.
std::vector<std::string> domains_of(const Collection& collection, const RunState& state,
                                    const std::string& day, const std::set<std::string>& passed_over) {
    std::vector<std::string> domains = collection.domains();
    std::erase_if(domains, [&](const std::string& domain) {
        return state.is_done(day, domain) || passed_over.contains(domain);
    });
    std::stable_partition(domains.begin(), domains.end(), [&](const std::string& domain) {
        return !state.late.contains(day + " " + domain);
    });
    return domains;
}

std::string round(const control::Home& home, const Reporter& reporter, const RunState& state,
                  std::uint64_t begin, const std::set<std::string>& passed_over) {
    const Collection collection = collect(home, begin);
    const Deadline deadline = Deadline::in(round_time);
    net::Resolver resolver(home);
    authres::ResolverDns dns(resolver);
    std::vector<Packet> packets;
    std::size_t octets = 0;
    for (const std::string& domain : domains_of(collection, state, day_text(begin), passed_over)) {
        packets.push_back(packet_for(dns, collection.report(domain, reporter, begin, begin + a_day - 1)));
        octets += packets.back().content.size();
        if (octets > round_octets || packets.size() >= round_packets || deadline.passed()) break;
    }
    return encode(packets);
}

}  // namespace

std::vector<Packet> next_packets(const control::Home& home, const control::Owners& owners,
                                 const Reporter& reporter, const RunState& state, std::uint64_t begin,
                                 const std::set<std::string>& passed_over) {
    const control::Owner reader = owners.of(control::Role::qmailt);
    ::tzset();  // it opens a file, and whoever writes a time calls it
    const std::string said = explain::run_as(reader.uid, reader.gid, [&] {
        control::enter(control::dmarc_report_cage, home);
        return round(home, reporter, state, begin, passed_over);
    });
    auto packets = decode_packets(said);
    if (!packets) throw Error(Reaction::temporary, "the process that reads traces says what makes no sense");
    return *std::move(packets);
}

}  // namespace relais::dmarcrpt
