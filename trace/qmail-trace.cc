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

#include <algorithm>
#include <map>
#include <thread>

#include "base/command_line.h"
#include "base/error.h"
#include "base/io.h"
#include "base/text.h"
#include "base/time.h"
#include "control/owners.h"
#include "control/tool.h"
#include "trace/life.h"

namespace {

using namespace relais;

// A bounce of a bounce of a forward.
constexpr unsigned deepest = 4;
constexpr std::chrono::milliseconds look_pause{300};

struct Options {
    std::vector<std::string> ids;
    std::string since;
    std::string forget;
    trace::Archive::Search search;
    bool why = false;
    bool json = false;
    bool follow = false;
};

void print(const std::string& text) {
    write_all(STDOUT_FILENO, text + "\n", Deadline::never());
}

class Teller {
  public:
    explicit Teller(const Options& options) : options_(options) {}

    // False if nothing is known of it. What has been told is not told again.
    bool tell(trace::Archive& archive, std::uint64_t id, unsigned depth = 0) {
        // What a program of a user's says may name any message, and each name the other.
        if (depth == 0) reached_.clear();
        const auto [reached, fresh] = reached_.emplace(id, depth);
        if (!fresh && reached->second <= depth) return true;
        reached->second = depth;
        const auto events = archive.events(id);
        std::vector<Json> list;
        std::vector<std::uint64_t> children;
        const std::string indent(4 * std::size_t{depth}, ' ');
        bool headed = !options_.json && told_.contains(id);
        // They are not all in the order of their times.
        const std::uint64_t told = told_.contains(id) ? told_.at(id) : 0;
        for (const trace::Record& event : events) {
            for (const std::uint64_t child : trace::children_of(event)) children.push_back(child);
            if (options_.why && !trace::is_evidence(event)) continue;
            if (event.time <= told) continue;
            told_[id] = std::max(told_[id], event.time);
            if (options_.json) {
                list.push_back(trace::json_of(event));
                continue;
            }
            const std::string line = trace::line_of(event);
            if (line.empty()) continue;
            if (!headed)
                print(indent + (event.kind == "refuse" ? "refusal " : "message ") + std::to_string(id));
            headed = true;
            print(indent + "  " + line);
        }
        if (options_.json && !list.empty()) {
            Json all = {{"id", id}, {"depth", depth}};
            all["events"] = list;
            print(all.line());
        }
        if (depth < deepest)
            for (const std::uint64_t child : children)
                if (child != id) tell(archive, child, depth + 1);
        return !events.empty();
    }

  private:
    const Options& options_;
    std::map<std::uint64_t, std::uint64_t> told_;  // up to which time
    std::map<std::uint64_t, unsigned> reached_;    // at which depth, from the message that was asked for
};

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
    Teller teller(options);
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
    line.flag("--why", options.why, "only what was refused, suspect or verified");
    line.flag("--json", options.json, "a line of JSON for each message");
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
