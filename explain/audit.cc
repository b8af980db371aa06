#include "explain/audit.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <functional>
#include <set>

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "control/control_file.h"
#include "control/setting.h"
#include "explain/explanation.h"
#include "explain/plain.h"
#include "opensmtp/gate.h"
#include "policy/policy.h"
#include "smtpd/settings.h"

namespace relais::explain {
namespace {

// A login that counts longer than this is as good as none.
constexpr std::int64_t long_lifetime = 86400;

// The files that make a domain ours.
constexpr std::array domain_files = {"locals", "virtualdomains"};
// Domains in one sentence.
constexpr std::size_t named_at_most = 20;

using Findings = std::vector<AuditFinding>;
using Lines = std::vector<std::string>;

// What a line of locals or virtualdomains takes mail for; nothing for one address, a wildcard, an exception.
std::string domain_of(std::string_view name, std::string_view line) {
    const std::size_t colon = line.find(':');
    const std::string_view domain = line.substr(0, colon);
    const bool exception =
        name == "virtualdomains" && (colon == std::string_view::npos || colon + 1 == line.size());
    if (exception || domain.find('@') != std::string_view::npos || domain.starts_with('.')) return "";
    return std::string(domain);
}

// ": a.example, b.example", as locals and virtualdomains have them.
std::string own_domains(const control::Home& home) {
    std::string text;
    std::size_t count = 0;
    for (const char* name : domain_files)
        for (const std::string& line : control::read_lines(home, name).value_or(Lines())) {
            const std::string domain = domain_of(name, line);
            if (domain.empty() || equal_ignoring_case(domain, "localhost")) continue;
            if (++count <= named_at_most) text += (count == 1 ? ": " : ", ") + plain(domain);
        }
    return count > named_at_most ? text + fmt::format(" and {} more", count - named_at_most) : text;
}

void look_at_rcpthosts(const control::Home& home, Findings& findings) {
    const auto lines = control::read_if_there<"rcpthosts">(home);
    if (!lines || lines->empty())
        findings.push_back(
            {Level::wrong,
             fmt::format("control/rcpthosts is {}: mail from outside is refused for every domain (stock "
                         "qmail would be an open relay without it)",
                         lines ? "empty" : "missing"),
             "write the domains that you accept mail for into it, one a line" + own_domains(home)});
    for (const std::string& line : lines.value_or(Lines()))
        if (line == "." || (line.starts_with('.') && line.find('.', 1) == std::string::npos))
            findings.push_back(
                {Level::open_relay,
                 fmt::format("control/rcpthosts has \"{}\": everybody may send to all domains below it",
                             plain(line)),
                 "remove it"});
    for (const char* name : domain_files) {
        for (const std::string& line : control::read_lines(home, name).value_or(Lines())) {
            const std::string domain = domain_of(name, line);
            if (domain.empty()) continue;
            if (control::DomainSet(lines.value_or(Lines())).contains(domain) ||
                find_line(home, "morercpthosts", domain) || equal_ignoring_case(domain, "localhost"))
                continue;
            findings.push_back(
                {Level::wrong,
                 fmt::format("{} is in control/{}, but not in control/rcpthosts: mail for it from outside "
                             "is refused",
                             plain(domain), name),
                 "add it to control/rcpthosts"});
        }
    }
}

// user%host@domain, accepted for the domain, goes to host: a way through for everybody.
void look_at_percenthack(const control::Home& home, Findings& findings) {
    const control::DomainSet accepted(control::read<"rcpthosts">(home));
    for (const std::string& domain : control::read<"percenthack">(home))
        if (accepted.contains(domain) || find_line(home, "morercpthosts", domain))
            findings.push_back({Level::open_relay,
                                fmt::format("control/percenthack and control/rcpthosts both have {}: mail to "
                                            "user%elsewhere@{} goes anywhere for everybody",
                                            plain(domain), plain(domain)),
                                "remove it from control/percenthack"});
}

void look_at_logins(const control::Home& home, const opensmtp::OpenSmtpSettings& settings,
                    Findings& findings) {
    if (settings.lifetime > long_lifetime)
        findings.push_back({Level::note,
                            "a login lets its address relay for " + opensmtp::span_text(settings.lifetime) +
                                " (control/opensmtplifetime); by then somebody else may have that address",
                            ""});
    for (const std::string& line : settings.exclude.wrong())
        findings.push_back(
            {Level::wrong, "control/opensmtpexclude has no address and no network in \"" + plain(line) + "\"",
             "mend it"});
    const std::string word = control::read<"localsenders">(home);
    if (!word.empty() && !equal_ignoring_case(word, "off") && !equal_ignoring_case(word, "warn") &&
        !equal_ignoring_case(word, "enforce"))
        findings.push_back({Level::wrong,
                            "control/localsenders says \"" + plain(word) + "\", which counts as off",
                            "off, warn or enforce"});
}

std::string_view word_of(Level level) {
    switch (level) {
        case Level::open_relay:
            return "OPEN RELAY";
        case Level::open_relay_soon:
            return "SOON OPEN";
        case Level::wrong:
            return "WRONG";
        default:
            return "note";
    }
}

std::string_view name_of(Level level) {
    switch (level) {
        case Level::open_relay:
            return "open_relay";
        case Level::open_relay_soon:
            return "open_relay_soon";
        case Level::wrong:
            return "wrong";
        default:
            return "note";
    }
}

bool has(const Findings& findings, Level level) {
    return std::any_of(findings.begin(), findings.end(),
                       [level](const AuditFinding& each) { return each.level == level; });
}

// One file that cannot be read hides nothing else.
void look(Findings& findings, const std::function<void()>& part) {
    try {
        part();
    } catch (const Error& error) {
        findings.push_back(
            {Level::wrong, plain(error.what()), "until it can be read its part is not looked at"});
    }
}

// What qmail-smtpd reads for the first recipient of anybody's.
void look_at_server(const control::Home& home, Findings& findings) {
    try {
        smtpd::Settings::read(home);
        policy::Policy policy(home);
        policy.bad_names().refresh();
        policy.match_domain("someone@elsewhere.invalid");
    } catch (const Error& error) {
        findings.push_back(
            {Level::wrong, fmt::format("everybody is put off: {}", plain(error.what())), "mend it"});
    }
}

// Servers share texts and control files.
void drop_repetitions(Findings& findings) {
    std::set<std::pair<Level, std::string>> seen;
    std::erase_if(findings,
                  [&](const AuditFinding& each) { return !seen.emplace(each.level, each.text).second; });
}

}  // namespace

std::vector<AuditFinding> audit(const control::Home& home) {
    Findings findings;
    opensmtp::OpenSmtpSettings settings;
    look(findings, [&] {
        settings = opensmtp::OpenSmtpSettings::read(home);
        look_at_logins(home, settings, findings);
    });
    look(findings, [&] {
        std::set<std::string> seen;
        const auto listeners = find_listeners(home);
        for (const Listener& listener : listeners)
            if (listener.relays_all || seen.insert(listener.rules).second) {
                const RulesOfServer rules = RulesOfServer::read(listener);
                audit_rules(listener, rules, settings.lifetime, findings);
                look(findings, [&] { audit_variables(home, rules, findings); });
            }
        audit_loopback(listeners, findings);
    });
    look(findings, [&] { look_at_rcpthosts(home, findings); });
    look(findings, [&] { look_at_percenthack(home, findings); });
    look_at_server(home, findings);
    drop_repetitions(findings);
    std::stable_sort(findings.begin(), findings.end(),
                     [](const AuditFinding& a, const AuditFinding& b) { return a.level < b.level; });
    return findings;
}

bool is_bad(const Findings& findings) {
    return std::any_of(findings.begin(), findings.end(),
                       [](const AuditFinding& each) { return each.level != Level::note; });
}

std::string to_text(const Findings& findings) {
    std::string text;
    if (has(findings, Level::open_relay))
        text += "*** THIS SERVER IS AN OPEN RELAY: strangers can send through it. Mend this first. ***\n\n";
    else if (has(findings, Level::open_relay_soon))
        text +=
            "*** NOT YET, but the next qmailctl cdb makes this server an OPEN RELAY. Mend the text first. "
            "***\n\n";
    else
        text += is_bad(findings) ? "Not an open relay, but this is wrong:\n\n" : "Not an open relay.\n";
    for (const AuditFinding& finding : findings) {
        text += fmt::format("{:<11}{}\n", word_of(finding.level), finding.text);
        if (!finding.remedy.empty()) text += fmt::format("{:<11}-> {}\n", "", finding.remedy);
    }
    return text;
}

std::string to_json(const Findings& findings) {
    Json json{{"open_relay", has(findings, Level::open_relay)}, {"findings", Json::array()}};
    for (const AuditFinding& finding : findings)
        json["findings"].push_back(
            {{"level", name_of(finding.level)}, {"text", finding.text}, {"remedy", finding.remedy}});
    return json.lines() + "\n";
}

}  // namespace relais::explain
