#include "setup/surroundings.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "base/text.h"
#include "counts/protocol.h"
#include "explain/audit.h"
#include "setup/programs.h"

namespace relais::setup {
namespace fs = std::filesystem;

namespace {

constexpr unsigned smtp_port = 25;

// The instance that takes this host's mail from others.
bool has_the_hosts_mail(const Plan& plan) {
    return !plan.identity.single && std::any_of(plan.listen.begin(), plan.listen.end(),
                                                [](const Listen& each) { return each.port == smtp_port; });
}

// A program that stands there and is ours, whatever links lead to it.
bool is_ours(const Plan& plan, const std::string& path) {
    std::error_code missing;
    return fs::equivalent(path, plan.home.path("bin/sendmail"), missing) ||
           fs::equivalent(path, program_directory() + "/sendmail", missing);
}

}  // namespace

void look_at_relaying(const Plan& plan, Report& report) {
    using explain::Level;
    const auto findings = explain::audit(plan.home);
    for (const explain::AuditFinding& finding : findings) {
        const std::string remedy =
            finding.remedy.empty() ? "relay-explain --audit shows it with the rest" : finding.remedy;
        if (finding.level == Level::open_relay)
            report.bad("OPEN RELAY, strangers can send through this server: " + finding.text, remedy);
        else if (finding.level == Level::open_relay_soon)
            report.bad("the next qmailctl cdb makes this server an open relay: " + finding.text, remedy);
        else if (finding.level == Level::wrong)
            report.bad(finding.text, remedy);
        else if (!finding.remedy.empty())
            report.look(finding.text, finding.remedy);
        else
            report.note(finding.text);
    }
    if (!explain::is_bad(findings)) report.good("the rules let no stranger relay (relay-explain --audit)");
}

void look_at_sendmail_place(const Plan& plan, const std::string& path, bool diverts, Report& report) {
    std::error_code trouble;
    const std::string link = fmt::format("ln -s {} {}", plan.home.path("bin/sendmail"), path);
    const std::string moved =
        diverts ? "dpkg-divert --local --rename --add " + path : fmt::format("mv {} {}.other", path, path);
    if (fs::exists(path, trouble)) {
        if (is_ours(plan, path)) return report.good(path + " is ours");
        const std::string other = fs::canonical(path, trouble);
        return report.look(
            fmt::format("{} is another program{}: mail of cron, mail(1) and PHP goes to that one", path,
                        other.empty() || other == path ? "" : " (" + other + ")"),
            moved + " && " + link);
    }
    // A link to what was removed is in the way of ours.
    const bool dangles = fs::is_symlink(fs::symlink_status(path, trouble));
    report.look(path + " is missing: cron, mail(1) and PHP send no mail",
                dangles ? fmt::format("rm {} && {}", path, link) : link);
}

void look_at_sendmail(const Plan& plan, Report& report) {
    if (!has_the_hosts_mail(plan)) return;
    const bool diverts = ::access("/usr/bin/dpkg-divert", X_OK) == 0;
    for (const char* path : {"/usr/sbin/sendmail", "/usr/lib/sendmail"})
        look_at_sendmail_place(plan, path, diverts, report);
}

void look_at_held_logins(const Plan& plan, Report& report) {
    const auto text =
        counts::Counts(plan.home).list(std::string(counts::held_logins), Deadline::in(Seconds(2)));
    if (!text) return;
    for (const std::string_view line : split(trim(*text), '\n')) {
        if (!line.starts_with(counts::held_logins)) continue;
        const std::string login = safe_for_log(
            line.substr(counts::held_logins.size(), line.find(' ') - counts::held_logins.size()));
        report.bad(
            fmt::format(
                "the login {} is held: it has gone beyond a hard budget of control/ratelimits, and may "
                "send nothing",
                login),
            fmt::format("a new password if somebody else has it (qmail-passwd set {0}), a look at what is "
                        "queued (queue-list --login {0}), then qmail-counts --release {0}",
                        login));
    }
}

}  // namespace relais::setup
