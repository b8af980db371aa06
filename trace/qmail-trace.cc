// qmail-trace tells a message's whole life: how it came, what the checks said, each try to each recipient,
// bounces and forwards and what became of those; and why mail was refused.
//
//   qmail-trace ID...                                 these messages
//   qmail-trace --from A --to B --since today         the last ones that fit
//   qmail-trace --why --to B                          what was refused or suspect, with the evidence
//   qmail-trace --forget A                            takes out all that is remembered of an address
//
// Trust: run by root, it becomes qmailt before it opens what qmailt has written. What it prints comes from
// strangers: octets that could command a terminal are underscores.
//
// Inputs: trace/*.db. Exit codes: 0; 1 nothing is known; 100 wrong usage; 111 temporary.
#include <signal.h>
#include <unistd.h>

#include <thread>

#include "base/command_line.h"
#include "base/error.h"
#include "base/io.h"
#include "base/text.h"
#include "base/time.h"
#include "control/owners.h"
#include "control/tool.h"
#include "trace/teller.h"

namespace {

using namespace relais;

constexpr std::chrono::milliseconds look_pause{300};

struct Options {
    std::vector<std::string> ids;
    std::string since;
    std::string forget;
    trace::Archive::Search search;
    trace::Teller::Form form;
    bool follow = false;
};

void print(const std::string& text) {
    write_all(STDOUT_FILENO, text + "\n", Deadline::never());
}

std::vector<std::uint64_t> wanted(trace::Archive& archive, const Options& options) {
    if (options.ids.empty()) return archive.find(options.search);
    std::vector<std::uint64_t> ids;
    for (const std::string& text : options.ids) {
        const auto id = parse_number(text);
        if (!id) throw_permanent("not a message's number: " + text);
        ids.push_back(*id);
    }
    return ids;
}

int tell(const std::string& directory, const Options& options) {
    trace::Teller teller(options.form, print);
    for (bool first = true;; first = false) {
        trace::Archive archive(directory);
        if (first)
            for (const std::string& text : archive.wrong()) log_line("warning: left out: " + text);
        bool known = false;
        for (const std::uint64_t id : wanted(archive, options)) known = teller.tell(archive, id) || known;
        if (!options.follow) {
            if (!known) log_line("nothing is known of it (control/keeptrace says how long it would be)");
            return known ? 0 : 1;
        }
        std::this_thread::sleep_for(look_pause);
    }
}

int forget(const std::string& directory, const std::string& address) {
    trace::Archive archive(directory);
    if (!archive.wrong().empty()) throw Error(Reaction::temporary, archive.wrong().front());
    const std::size_t count = archive.forget(address);
    print(std::to_string(count) + " forgotten");
    return count > 0 ? 0 : 1;
}

int work(const Arguments& arguments) {
    Options options;
    CommandLine line("Tells what became of messages, and why mail was refused.", "qmail-trace");
    line.option("ID", options.ids, "the number behind qp, msg, or of a refusal");
    line.option("--from", options.search.from, "the sender: an address, or @domain");
    line.option("--to", options.search.to, "a recipient: the same");
    line.option("--since", options.since,
                "today, yesterday, 2h (s, m, h, d), 2026-11-30, 2026-11-30T13:00; UTC");
    line.option("--most", options.search.most, "so many of the newest (20)");
    line.flag("--why", options.form.evidence_alone, "only what was refused, suspect or verified");
    line.flag("--json", options.form.json, "a line of JSON for each message");
    line.flag("-f,--follow", options.follow, "go on until interrupted");
    line.option("--forget", options.forget, "take out all messages of this address");
    if (const auto code = line.parse(arguments)) return *code;
    const bool search = !options.search.from.empty() || !options.search.to.empty() || !options.since.empty();
    if (options.forget.empty() && options.ids.empty() != (search || options.follow) &&
        (options.ids.empty() || search))
        throw_permanent("say the numbers of messages, or --from, --to, --since");
    const std::uint64_t now = now_microseconds();
    if (!options.since.empty()) {
        const auto since = trace::parse_since(options.since, now);
        if (!since) throw_permanent("not a time: " + options.since);
        options.search.since = *since;
    } else if (options.follow && !search) {
        options.search.since = now;
    }
    const auto home = control::Home::from_environment();
    if (!control::Owners::read(home).single())
        control::become(control::Owners::read(home), control::Role::qmailt);
    ::signal(SIGINT, SIG_DFL);
    const std::string directory = home.path("trace");
    return options.forget.empty() ? tell(directory, options) : forget(directory, options.forget);
}

}  // namespace

int main(int argc, char** argv) {
    return control::run_tool("qmail-trace", argc, argv, work);
}
