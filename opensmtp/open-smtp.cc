// open-smtp: shows and changes from where logins have opened SMTP.
//
//   open-smtp list [--json] | check IP | add IP [--user U] [--service S] | remove IP | remove --user U | expire
//             | import FILE|DIR | export [FILE] | rules TCP.SMTP CDB
//
// Trust: for the administrator (root, or the one user of a user instance), and for what login servers run as
// root after a login (docs/dovecot.md). Reads the store itself; every change goes through open-smtpd. Exit
// codes: 0 done (check: may relay), 1 check: may not, 100 wrong usage or refused, 111 temporary.
#include <unistd.h>

#include <cstdio>

#include "base/command_line.h"
#include "base/error.h"
#include "base/file.h"
#include "control/tool.h"
#include "opensmtp/tool.h"

using namespace relais;

namespace {

struct Options {
    std::string address;
    std::string user;
    std::string service = "manual";
    std::string path;
    std::string cdb;
    bool json = false;
};

constexpr std::size_t rules_limit = std::size_t{64} << 20;

void print(std::string_view text) {
    if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0)
        throw_errno("write", "standard output");
}

std::string client(const std::string& text) {
    const auto address = opensmtp::canonical_client(text);
    if (!address) throw_permanent("not an address: " + text);
    return *address;
}

int list(const control::Home& home, const Options& options) {
    const auto now = opensmtp::Moment::now();
    const auto settings = opensmtp::OpenSmtpSettings::read(home);
    const auto entries = opensmtp::all_entries(home, now);
    print(options.json ? opensmtp::list_json(entries, settings, now)
                       : opensmtp::list_text(entries, settings, now));
    return 0;
}

int check(const control::Home& home, const Options& options) {
    opensmtp::OpenSmtpGate gate(home);
    const auto finding = gate.find(client(options.address), opensmtp::Moment::now());
    if (finding.excluded)
        print("no: control/opensmtpexclude has " + *finding.excluded + "\n");
    else if (!finding.entry)
        print("no: nobody has logged in from there\n");
    else
        print(std::string(finding.live ? "yes: " : "no: ") + finding.text + " (" + finding.source + ")\n");
    return finding.live ? 0 : 1;
}

int add(const control::Home& home, const Options& options) {
    print(opensmtp::ask_server(
              home, {opensmtp::Verb::add, client(options.address), options.user, options.service}) +
          " may relay\n");
    return 0;
}

int remove(const control::Home& home, const Options& options) {
    if (options.user.empty() == options.address.empty()) throw_permanent("remove needs an address or --user");
    const opensmtp::Request request =
        options.address.empty() ? opensmtp::Request{opensmtp::Verb::remove_user, "", options.user}
                                : opensmtp::Request{opensmtp::Verb::remove, client(options.address)};
    print(opensmtp::ask_server(home, request) + " removed\n");
    return 0;
}

int expire(const control::Home& home, const Options&) {
    print(opensmtp::ask_server(home, {opensmtp::Verb::expire}) + " removed\n");
    return 0;
}

int import(const control::Home& home, const Options& options) {
    const bool terminal = ::isatty(STDERR_FILENO) == 1;
    const auto count =
        opensmtp::import_path(home, options.path, [terminal](std::uint64_t done, std::uint64_t all) {
            if (terminal) std::fprintf(stderr, "\r%ju of %ju%s", done, all, done >= all ? "\n" : "");
        });
    print(count.text() + "\n");
    return 0;
}

int export_entries(const control::Home& home, const Options& options) {
    const auto now = opensmtp::Moment::now();
    const std::string text =
        opensmtp::export_text(opensmtp::all_entries(home, now), opensmtp::OpenSmtpSettings::read(home), now);
    if (options.path.empty())
        print(text);
    else
        replace_file(options.path, text, 0644);
    return 0;
}

int rules(const control::Home& home, const Options& options) {
    const auto now = opensmtp::Moment::now();
    auto text = read_file(options.path, rules_limit);
    if (!text) throw_errno("open", options.path, ENOENT);
    if (!text->empty() && text->back() != '\n') *text += '\n';
    // A rule of the administrator's for the same address comes first, and so it counts.
    *text +=
        opensmtp::rules_text(opensmtp::all_entries(home, now), opensmtp::OpenSmtpSettings::read(home), now);
    opensmtp::write_rules(*text, options.cdb);
    log_line("entries in a cdb do not expire by themselves: run this again every few minutes");
    return 0;
}

int work(const Arguments& arguments) {
    Options options;
    CommandLine line("Shows and changes from where logins have opened SMTP.", "open-smtp");
    line.takes_one(CommandLine::Subcommand::required);
    using Verb = int (*)(const control::Home&, const Options&);
    std::vector<std::pair<Command, Verb>> verbs;
    const auto verb = [&](const char* name, const char* meaning, Verb run) {
        return verbs.emplace_back(line.subcommand(name, meaning), run).first;
    };
    verb("list", "all entries", list).flag("--json", options.json, "as JSON");
    verb("check", "may this address relay?", check).option("IP", options.address).required();
    Command added = verb("add", "as if somebody had logged in from there now", add);
    added.option("IP", options.address).required();
    added.option("--user", options.user, "who");
    added.option("--service", options.service, "over what (default: manual)");
    Command removed = verb("remove", "close the door", remove);
    removed.option("IP", options.address);
    removed.option("--user", options.user, "wherever this user logged in");
    verb("expire", "remove entries that no longer count", expire);
    verb("import", "vpopmail's open-smtp, or a directory of files named by address", import)
        .option("FILE", options.path)
        .required();
    verb("export", "in vpopmail's form", export_entries)
        .option("FILE", options.path, "default: standard output");
    Command ruled = verb("rules", "rules and entries as one cdb for tcpserver", rules);
    ruled.option("TCP.SMTP", options.path).required();
    ruled.option("CDB", options.cdb).required();
    if (const auto code = line.parse(arguments)) return *code;
    const auto home = control::Home::from_environment();
    if (::access(home.path("control").c_str(), F_OK) != 0) throw_errno("look at", home.path("control"));
    for (const auto& [command, run] : verbs)
        if (command.given()) return run(home, options);
    return static_cast<int>(Exit::permanent);
}

}  // namespace

int main(int argc, char** argv) {
    return control::run_tool("open-smtp", argc, argv, work);
}
