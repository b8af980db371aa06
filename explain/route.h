// What becomes of mail for an address: the way of qmail-send, qmail-lspawn, qmail-local and qmail-remote, by
// their own code, without a message.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/home.h"
#include "explain/finding.h"
#include "explain/passage.h"
#include "remote/servers.h"
#include "sts/protocol.h"

namespace relais::explain {

enum class Fate {
    local,    // it is delivered on this machine
    remote,   // it goes to another server
    bounces,  // it comes back
    waits,    // it stays in the queue until something changes
};
std::string_view name_of(Fate fate);

// A local delivery: who gets it, by which file.
struct LocalEnd {
    std::string user, home, dash, extension;
    uid_t uid = 0;
    gid_t gid = 0;
    std::string found_by;                   // "users/cdb", "passwd", "alias"
    std::string dot_qmail;                  // the file; empty if there is none
    std::vector<std::string> instructions;  // "maildir ./Maildir/", "forward joe@example.org", "program ..."
};

// A remote one: which servers, in which order.
struct RemoteEnd {
    std::string domain;
    remote::Route route;
    remote::SearchTrace search;
    std::vector<remote::Server> servers;
    std::vector<remote::Dane> dane{};           // of each server, where that is asked for
    std::optional<sts::Found> domain_policy{};  // where that is asked for
    std::vector<Offer> offers{};                // of each server
    bool chosen_securely = false;               // DNSSEC vouches for them, or the administrator
    std::string asked;                          // who answered about DNS
    // How it would be sent, where a server is known.
    std::optional<remote::TlsPolicy> tls{};
    remote::Source source{};
    std::string helo{};
};

struct RouteReport {
    std::string asked;
    std::string address;  // after envnoathost and percenthack
    Fate fate = Fate::waits;
    std::string answer;  // one sentence
    std::vector<RouteStep> steps;
    std::vector<Finding> findings;
    std::optional<LocalEnd> local;
    std::optional<RemoteEnd> remote;

    void step(std::string place, std::string evidence) {
        steps.push_back({std::move(place), std::move(evidence)});
    }
    void find(Weight weight, std::string code, std::string text, std::string remedy = "") {
        findings.push_back({weight, std::move(code), std::move(text), std::move(remedy)});
    }
    bool has(Weight weight) const;
};

struct RouteOptions {
    bool ask_dns = true;
    std::string sender = "";                 // whose mail: control/authsenders may have a route for it
    std::optional<MessageTraits> message{};  // what it would meet is told
    bool probe = false;                      // servers are asked what they offer
};

// Follows the address. What cannot be read or asked is a finding; throws Error only where nothing can be said
// at all.
RouteReport explain_route(const control::Home& home, std::string_view address, const RouteOptions& options);

// For people: the answer, a line for each step, the findings. For programs: one JSON object and a line end.
std::string route_text(const RouteReport& report);
std::string route_json(const RouteReport& report);

}  // namespace relais::explain
