// mta-sts make DOMAIN: what a domain publishes that wants others to send it mail by verified TLS only (STS,
// RFC 8461): the file for its web server, and the records for DNS. mta-sts check FILE says whether a file is
// such a policy.
//
// Trust: for whoever administrates the domain; it asks nobody and changes nothing but the file it is told to
// write. Exit codes: 0; 1 the file is no policy; 100 wrong usage; 111 the system refuses something.
#include <unistd.h>

#include <ctime>

#include "base/command_line.h"
#include "base/error.h"
#include "base/file.h"
#include "base/io.h"
#include "base/program.h"
#include "base/text.h"
#include "base/time.h"
#include "sts/protocol.h"

namespace {

using namespace relais;

constexpr std::uint64_t two_weeks = 14 * 86400;

struct Wish {
    std::string domain;
    std::vector<std::string> servers;
    std::string mode = "testing";
    std::uint64_t max_age = two_weeks;
    std::string file;
    std::string checked;
};

// It only has to change when the policy does.
std::string fresh_id() {
    const std::time_t now = now_seconds();
    struct tm parts {};
    char text[32];
    if (::gmtime_r(&now, &parts) == nullptr || std::strftime(text, sizeof text, "%Y%m%d%H%M%S", &parts) == 0)
        throw_errno("read", "the clock");
    return text;
}

sts::Policy policy_of(const Wish& wish) {
    std::string text = "version: STSv1\nmode: " + wish.mode + "\n";
    for (const std::string& server : wish.servers) text += "mx: " + server + "\n";
    const auto policy = sts::parse_policy(text + "max_age: " + std::to_string(wish.max_age) + "\n");
    if (!policy)
        throw_permanent(
            "that is no policy: --mode is none, testing or enforce, each --mx a server's name or *.name");
    return *policy;
}

int make(const Wish& wish) {
    const std::string domain = lower(wish.domain);
    if (!sts::is_domain(domain)) throw_permanent(wish.domain + " is no domain that can have a policy");
    if (wish.servers.empty() && wish.mode != "none")
        throw_permanent("name the servers of its MX records, each with --mx");
    const std::string text = sts::text_of(policy_of(wish));
    std::string out;
    if (wish.file.empty()) {
        out = "; https://mta-sts." + domain +
              "/.well-known/mta-sts.txt, as text/plain, without a redirect:\n" + text + "\n";
        std::erase(out, '\r');
    } else {
        replace_file(wish.file, text, 0644);
        out = "; " + wish.file + " is for https://mta-sts." + domain +
              "/.well-known/mta-sts.txt, as text/plain, without a redirect\n";
    }
    out += "; then, whenever that file has changed, into the zone:\n_mta-sts." + domain +
           ". TXT \"v=STSv1; id=" + fresh_id() +
           "\"\n; and once, the web server, with a certificate for that name:\nmta-sts." + domain +
           ". CNAME www." + domain + ".\n";
    write_all(STDOUT_FILENO, out, Deadline::never());
    return 0;
}

int check(const Wish& wish) {
    const auto text = read_file(wish.checked, sts::policy_limit);
    if (!text) throw_errno("open", wish.checked, ENOENT);
    const auto policy = sts::parse_policy(*text);
    std::string out = wish.checked + " is no policy: others take it as none\n";
    if (policy) {
        out = "mode " + std::string(sts::name_of(policy->mode)) + ", for " + std::to_string(policy->max_age) +
              " seconds, servers:";
        for (const std::string& pattern : policy->mx) out += " " + pattern;
        out += "\n";
    }
    write_all(STDOUT_FILENO, out, Deadline::never());
    return policy ? 0 : 1;
}

int work(const Arguments& arguments) {
    Wish wish;
    CommandLine line("Makes what a domain publishes for MTA-STS.", "mta-sts");
    line.takes_one(CommandLine::Subcommand::required);
    Command making = line.subcommand("make", "prints the policy and the records for DNS");
    making.option("DOMAIN", wish.domain, "whose mail it is about").required();
    making.option("--mx", wish.servers, "a server of its MX records, or *.name for all one label below")
        .one_value_each();
    making.option("--mode", wish.mode, "none, testing (the default) or enforce");
    making.option("--max-age", wish.max_age, "seconds for which others keep it: two weeks");
    making.option("--file", wish.file, "write the policy there");
    Command checking = line.subcommand("check", "says what a policy's file asks for");
    checking.option("FILE", wish.checked).required();
    if (const auto code = line.parse(arguments)) return *code;
    return making.given() ? make(wish) : check(wish);
}

}  // namespace

int main(int argc, char** argv) {
    return run_program("mta-sts", argc, argv, work);
}
