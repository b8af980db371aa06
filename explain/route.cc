#include "explain/route.h"

#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "explain/local_route.h"
#include "explain/remote_route.h"
#include "mail/address.h"
#include "send/rewrite.h"

namespace relais::explain {
namespace {

std::string joined(const std::vector<std::string>& words, std::string_view between) {
    std::string text;
    for (const std::string& word : words) text.append(text.empty() ? "" : between).append(word);
    return text;
}

void show_rewriting(const send::RewriteRules& rules, const send::RewriteTrace& trace,
                    const send::Route& route, RouteReport& report) {
    const std::string domain(mail::split_address(route.plain).domain);
    if (trace.added_host)
        report.step("envnoathost", "the address has no domain: " + rules.envnoathost() + " is added");
    if (!trace.percenthack.empty())
        report.step("percenthack", report.asked + " means " + joined(trace.percenthack, ", then "));
    const bool listed = rules.is_local(domain);
    report.step("locals", domain + (listed ? " is in control/locals" : " is not in control/locals"));
    const send::RewriteRules::VirtualDomain* line = rules.virtual_domain(route.plain);
    if (line == nullptr) {
        if (!listed) report.step("virtualdomains", "no line for " + domain);
        return;
    }
    const std::string words = "the line " + line->first + ":" + line->second;
    if (listed)
        report.find(
            Weight::warning, "local_and_virtual",
            domain + " is in control/locals, and " + words + " in control/virtualdomains is never used",
            "remove one of the two");
    else if (line->second.empty())
        report.step("virtualdomains", words + " makes it an exception: it is remote");
    else
        report.step("virtualdomains", words + ": it is " + route.address);
}

// Which file says that mail for the domain is taken from everybody.
std::string listed_in(const remote::SettingsFiles& files, const remote::Settings& settings,
                      const std::string& domain) {
    if (settings.rcpthosts.contains(domain)) return "rcpthosts";
    if (files.in_morercpthosts(domain)) return "morercpthosts.cdb";
    return "";
}

void check_percenthack(const send::RewriteRules& rules, const remote::SettingsFiles& files,
                       const remote::Settings& settings, const std::string& asked, RouteReport& report) {
    const std::string domain(mail::split_address(asked).domain);
    if (!rules.has_percenthack(domain) || listed_in(files, settings, domain).empty()) return;
    report.find(Weight::warning, "percenthack_relay",
                "control/percenthack has " + domain +
                    ", so anybody may send through this host to anybody, as user%elsewhere@" + domain,
                "remove " + domain + " from control/percenthack");
}

void follow(const control::Home& home, const RouteOptions& options, const send::RewriteRules& rules,
            const std::string& address, RouteReport& report) {
    send::RewriteTrace trace;
    const send::Route route = send::rewrite(rules, address, &trace);
    report.address = route.plain;
    report.step("address", report.asked);
    show_rewriting(rules, trace, route, report);
    const std::string domain(mail::split_address(route.plain).domain);

    remote::SettingsFiles files(home, remote::Passwords::forget);
    try {
        files.current();
    } catch (const Error& error) {
        // qmail-remote says the same of every message; local mail is not concerned.
        if (route.is_local()) return explain_local(home, route.address, report);
        report.answer = "waits in the queue: qmail-remote cannot read its control files";
        return report.find(Weight::problem, "control_unusable", error.what());
    }
    const remote::Settings& settings = files.current();
    Surroundings around{home, files, settings, listed_in(files, settings, domain)};
    report.step("rcpthosts",
                around.rcpthosts.empty()
                    ? "neither control/rcpthosts nor morercpthosts has " + domain
                    : "control/" + around.rcpthosts + " has " + domain + ": taken from everybody");
    std::optional<Dns> dns;
    if (options.ask_dns) dns.emplace(home);
    if (route.is_local())
        explain_local(home, route.address, report);
    else
        explain_remote(around, options, route.host, dns ? &*dns : nullptr, report);
    check_percenthack(rules, files, settings, address, report);
    if (!route.is_local()) return;
    if (around.rcpthosts.empty())
        report.find(
            Weight::warning, "not_in_rcpthosts",
            domain +
                " is delivered here, but mail for it is refused from outside: it is not in control/rcpthosts",
            "add " + domain + " to control/rcpthosts");
    if (dns) explain_inbound(around, domain, *dns, report);
}

}  // namespace

std::string_view name_of(Weight weight) {
    switch (weight) {
        case Weight::problem:
            return "problem";
        case Weight::warning:
            return "warning";
        default:
            return "note";
    }
}

std::string_view name_of(Fate fate) {
    switch (fate) {
        case Fate::local:
            return "local";
        case Fate::remote:
            return "remote";
        case Fate::bounces:
            return "bounces";
        default:
            return "waits";
    }
}

bool RouteReport::has(Weight weight) const {
    return std::any_of(findings.begin(), findings.end(),
                       [&](const Finding& finding) { return finding.weight == weight; });
}

RouteReport explain_route(const control::Home& home, std::string_view address, const RouteOptions& options) {
    RouteReport report;
    report.asked = address;
    if (address.size() > mail::address_limit ||
        address.find_first_of(std::string_view("\0\n", 2)) != std::string_view::npos) {
        report.fate = Fate::bounces;
        report.answer = "is no address that the queue takes: at most " + std::to_string(mail::address_limit) +
                        " octets, without line ends";
        report.find(Weight::problem, "no_address", report.answer);
        return report;
    }
    follow(home, options, send::RewriteRules::read(home), std::string(address), report);
    std::stable_sort(report.findings.begin(), report.findings.end(),
                     [](const Finding& a, const Finding& b) { return a.weight > b.weight; });
    return report;
}

}  // namespace relais::explain
