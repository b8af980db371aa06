#include "explain/offers.h"

#include <unistd.h>

#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "base/time.h"
#include "control/cages.h"
#include "control/owners.h"
#include "explain/requiretls.h"
#include "explain/run_as.h"
#include "remote/probe.h"

namespace relais::explain {
namespace {

// Of each server, all in all.
constexpr Seconds probe_patience{20};
constexpr std::size_t probed_servers = 5;

// What the process that asks says of a server: numbers and a line of words.
std::string encode(const remote::Probed& probed) {
    const remote::Extensions& found = probed.extensions;
    std::string text;
    for (const remote::ExtensionKeyword& each : remote::extension_keywords)
        text += found.*each.offered ? '1' : '0';
    text += " " + std::to_string(found.size_limit) + " ";
    for (const char c : probed.trouble) text += c == '\n' || c == '\r' ? ' ' : c;
    return text + "\n";
}

// Trusts only the form.
bool decode(std::string_view line, Offer& offer) {
    constexpr std::size_t flags = std::size(remote::extension_keywords);
    const std::size_t blank = line.find(' ', std::min(line.size(), flags + 1));
    if (line.size() < flags + 2 || blank == std::string_view::npos) return false;
    const auto size_limit = parse_number(line.substr(flags + 1, blank - flags - 1));
    if (!size_limit) return false;
    remote::Extensions& found = offer.extensions;
    for (std::size_t i = 0; i < flags; ++i) found.*remote::extension_keywords[i].offered = line[i] == '1';
    found.size_limit = *size_limit;
    offer.trouble = line.substr(blank + 1);
    offer.source = offer.trouble.empty() ? Offer::Source::asked : Offer::Source::unknown;
    return true;
}

// Servers are asked by a process that is qmailr and in qmail-remote's cage.
std::string ask(const control::Home& home, const RemoteEnd& end) {
    const control::Owner owner = control::Owners::read(home).of(control::Role::qmailr);
    return run_as(owner.uid, owner.gid, [&] {
        control::enter(control::remote_cage, home);
        std::string answers;
        for (std::size_t i = 0; i < std::min(end.servers.size(), probed_servers); ++i) {
            std::vector<net::Endpoint> endpoints;
            for (const std::string& address : end.servers[i].addresses)
                endpoints.push_back({address, end.route.port});
            answers +=
                encode(remote::probe(endpoints, end.helo, {end.source.v4, end.source.v6}, probe_patience));
        }
        return answers;
    });
}

void ask_servers(const control::Home& home, RemoteEnd& end, RouteReport& report) {
    std::string why;
    if (::geteuid() != 0 && ::geteuid() != control::Owners::read(home).of(control::Role::qmailr).uid)
        why = "only root, and the user of an instance of one user, may ask servers";
    else if (end.tls && end.tls->implicit)
        why = "TLS is spoken from the first octet there, and servers are asked in the clear";
    if (!why.empty()) return report.find(Weight::note, "not_probed", why);
    const std::string answers = ask(home, end);
    const auto lines = split(answers, '\n');
    for (std::size_t i = 0; i < end.offers.size() && i < lines.size(); ++i)
        if (!decode(lines[i], end.offers[i])) break;
}

std::string offer_words(const Offer& offer) {
    switch (offer.source) {
        case Offer::Source::asked:
            return words_of(offer.extensions) + " (asked now, in the clear)";
        case Offer::Source::remembered:
            return words_of(offer.extensions) + " (at a delivery, " + date_gmt(offer.seen) + ")";
        default:
            return offer.trouble.empty() ? "not known: nothing was delivered there yet; --probe asks it"
                                         : "not known: " + offer.trouble;
    }
}

// Who is held to TLS by control/tlsmemory.
void show_hold(const Surroundings& around, const std::string& server, const Offer& offer,
               RouteReport& report) {
    const remote::TlsPolicy& policy = *report.remote->tls;
    if (!offer.known || policy.level != remote::TlsLevel::may || policy.named || policy.implicit) return;
    const remote::KnownServer& known = *offer.known;
    const remote::TlsHold hold = remote::tls_hold(known, around.settings.tls_memory, now_seconds());
    if (hold == remote::TlsHold::none) return;
    report.step("tlsmemory", server + " was encrypted " + date_gmt(known.encrypted) +
                                 (hold == remote::TlsHold::held ? ": not without TLS" : ""));
    if (hold == remote::TlsHold::given_up)
        report.find(Weight::warning, "tls_given_up",
                    "TLS with " + server + " has failed since " + date_gmt(known.failing_since) +
                        ": mail goes there in the clear until it works again");
    else if (known.failing_since > 0)
        report.find(Weight::warning, "tls_failing",
                    "TLS with " + server + " has failed since " + date_gmt(known.failing_since) +
                        ": mail for it waits, until " +
                        date_gmt(known.failing_since + remote::tls_grace.count()) +
                        " if nothing changes, and then goes in the clear",
                    "a line of control/tlsdestinations for that server goes before control/tlsmemory");
}

}  // namespace

void show_offers(const Surroundings& around, const RouteOptions& options, RouteReport& report) {
    RemoteEnd& end = *report.remote;
    const auto judged = [&](std::vector<Finding> findings) {
        for (Finding& finding : findings) {
            if (finding.weight == Weight::problem && report.fate == Fate::remote) {
                report.fate = Fate::bounces;
                report.answer = "bounces: " + finding.text;
            }
            report.findings.push_back(std::move(finding));
        }
    };
    if (end.route.protocol == remote::Protocol::qmtp) {
        report.step("offers", "nothing: by QMTP nobody is asked");
        if (options.message && options.message->requiretls)
            judged(judge_requiretls(end, around.settings.mtasts_authorities));
        return;
    }
    const remote::ServerMemory memory = remote::ServerMemory::open_to_read(around.home);
    for (const remote::Server& server : end.servers) {
        Offer offer;
        offer.known = memory.find(remote::memory_name(server.name, end.route.port));
        if (offer.known && offer.known->seen > 0) {
            offer.source = Offer::Source::remembered;
            offer.seen = offer.known->seen;
            offer.extensions = offer.known->extensions;
        }
        end.offers.push_back(std::move(offer));
    }
    if (options.probe && !end.servers.empty()) ask_servers(around.home, end, report);
    for (std::size_t i = 0; i < end.offers.size(); ++i) {
        const Offer& offer = end.offers[i];
        if (offer.source != Offer::Source::unknown || options.message || options.probe)
            report.step("offers", end.servers[i].name + ": " + offer_words(offer));
        show_hold(around, end.servers[i].name, offer, report);
    }
    if (options.message && options.message->requiretls && !end.offers.empty())
        judged(judge_requiretls(end, around.settings.mtasts_authorities));
    // Whoever takes the message first decides.
    if (!options.message || end.offers.empty() || end.offers.front().source == Offer::Source::unknown) return;
    judged(judge(*options.message, end.offers.front().extensions, end.servers.front().name, options.sender,
                 report.address, around.settings.strict_8bit));
}

}  // namespace relais::explain
