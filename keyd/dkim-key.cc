// dkim-key make|show|check DOMAIN [--selector S]: the keys that sign a domain's mail. make makes one, show
// prints the DNS records that publish them, check looks whether DNS has them.
//
// Trust: run by whoever owns the instance's keys; writes below control/dkim only. What DNS says is compared,
// and shown safe for a terminal. Exit codes: 0 done, and for check: all keys are published; 1 check: one is
// not; 100 wrong usage, no key; 111 DNS did not answer, or the system failed.
#include <fmt/core.h>
#include <unistd.h>

#include "authres/key_publication.h"
#include "authres/zone.h"
#include "base/command_line.h"
#include "base/error.h"
#include "base/io.h"
#include "base/time.h"
#include "control/tool.h"
#include "keyd/dkim_files.h"

namespace {

using namespace relais;

struct Options {
    std::string domain, selector, type = "rsa", zone;
};

void print(std::string_view text) {
    write_all(STDOUT_FILENO, text, Deadline::never());
}

std::string forms(const keyd::DkimKeyFile& file) {
    const std::string name = file.record_name();
    const std::string text = authres::key_record_text(*file.key);
    return fmt::format(
        "# {}: {}, {} bits\n# zone file (BIND, nsd, knot)\n{}\n# name and value, for a web page\n{}\n{}\n# "
        "tinydns\n{}\n",
        file.path, authres::to_text(file.key->type()), file.key->bits(), authres::zone_line(name, text), name,
        text, authres::tinydns_line(name, text));
}

// "202611" and the type's letter: one of each kind a month without a thought, others by --selector.
std::string default_selector(authres::KeyType type) {
    const auto month =
        std::chrono::year_month_day(std::chrono::floor<std::chrono::days>(std::chrono::system_clock::now()));
    return fmt::format("{}{}{:02}", type == authres::KeyType::rsa ? "r" : "e", static_cast<int>(month.year()),
                       static_cast<unsigned>(month.month()));
}

int make(const control::Home& home, const Options& options) {
    std::vector<authres::KeyType> types;
    if (options.type == "rsa" || options.type == "both") types.push_back(authres::KeyType::rsa);
    if (options.type == "ed25519" || options.type == "both") types.push_back(authres::KeyType::ed25519);
    if (types.empty()) throw_permanent("--type is rsa, ed25519 or both");
    if (types.size() > 1 && !options.selector.empty())
        throw_permanent("two keys need two selectors: make them one by one");
    std::string text;
    for (const authres::KeyType type : types) {
        const std::string selector = options.selector.empty() ? default_selector(type) : options.selector;
        text += forms(keyd::make_dkim_key(home, options.domain, selector, type));
    }
    print(text);
    return 0;
}

int show(const control::Home& home, const Options& options) {
    std::string text;
    for (const auto& file : keyd::read_dkim_keys(home, options.domain, options.selector)) text += forms(file);
    print(text);
    return 0;
}

// What DNS has in the key's place: a word, and whether it is the key (0), not (1), or nobody knows (111).
std::pair<std::string, int> published(const keyd::DkimKeyFile& file, const net::DnsAnswer& answer) {
    if (answer.status == net::DnsStatus::failed || answer.status == net::DnsStatus::bogus)
        return {"no answer from DNS", 111};
    if (answer.records.empty()) return {"not published", 1};
    std::string why = "another key is published";
    for (const net::DnsRecord& record : answer.records) {
        const auto parsed = authres::parse_key_record(record.text);
        if (const auto* bad = std::get_if<authres::BadKey>(&parsed)) {
            why = bad->reason;
            continue;
        }
        const auto& found = std::get<authres::KeyRecord>(parsed);
        if (found.type != file.key->type() || found.key != file.key->public_key()) continue;
        if (answer.records.size() > 1)
            return {"published, but beside other TXT records: verifiers may take one of these", 1};
        return {found.testing ? "published, in test mode (t=y)" : "published", 0};
    }
    return {why, 1};
}

int check(const control::Home& home, const Options& options) {
    net::Resolver resolver(home);
    std::unique_ptr<authres::Dns> dns = std::make_unique<authres::ResolverDns>(resolver);
    if (!options.zone.empty()) dns = std::make_unique<authres::ZoneDns>(authres::Zone::read(options.zone));
    const auto files = keyd::read_dkim_keys(home, options.domain, options.selector);
    std::vector<net::DnsQuestion> questions;
    for (const auto& file : files) questions.push_back({net::RecordType::txt, file.record_name()});
    const auto answers = dns->ask_all(questions, Deadline::in(Seconds(60)));
    int code = 0;
    for (std::size_t i = 0; i < files.size(); ++i) {
        const auto [text, how] = published(files[i], answers[i]);
        print(fmt::format("{}: {}\n", files[i].record_name(), text));
        if (how == 1 || code == 0) code = how;
    }
    return code;
}

int work(const Arguments& arguments) {
    Options options;
    CommandLine line("Makes the keys that sign a domain's mail (DKIM), and says what to publish.",
                     "dkim-key");
    line.takes_one(CommandLine::Subcommand::required);
    Command making = line.subcommand("make", "makes a key and prints its record").fallthrough();
    Command showing = line.subcommand("show", "prints the records of the domain's keys").fallthrough();
    Command checking = line.subcommand("check", "looks whether DNS has them").fallthrough();
    for (Command* command : {&making, &showing, &checking})
        command->option("DOMAIN", options.domain, "whose mail is signed").required();
    line.option("--selector", options.selector,
                "the key's name; by default all of the domain, and for a new one its type and month");
    making.option("--type", options.type, "rsa (2048 bits), ed25519 or both");
    checking.option("--dns", options.zone, "a zone file that answers in the place of DNS");
    if (const auto code = line.parse(arguments)) return *code;
    const auto home = control::Home::from_environment();
    if (making.given()) return make(home, options);
    return showing.given() ? show(home, options) : check(home, options);
}

}  // namespace

int main(int argc, char** argv) {
    return control::run_tool("dkim-key", argc, argv, work);
}
