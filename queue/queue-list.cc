// queue-list shows what is in the queue of $QMAILHOME and why it waits, and changes it: hold, release, retry,
// delete, bounce, for messages named by id or chosen by a filter. Its cut ends a delivery that hangs; its
// damaged shows what qmail-queued has put aside as damaged, and resubmits or deletes it.
//
// For root, or the one user of a user instance. Listing only reads. Changes go through qmail-send when it
// runs, else through the store under qmail-send's lock (queue/change.h), as user qmails. What it prints is
// made safe for a terminal.
//
// Exit codes: 0 done; 1 no message matched, or a change was refused or not confirmed; 100 wrong usage or not
// permitted; 111 the system failed.

#include <unistd.h>

#include "base/command_line.h"
#include "base/error.h"
#include "control/tool.h"
#include "queue/change.h"
#include "queue/list_commands.h"

namespace relais::queue {
namespace {

using send::ControlVerb;

void add_options(CommandLine& line, ListOptions& options) {
    line.option("--sender", options.filter.sender,
                "from this sender; * stands for anything, '' is the null sender");
    line.option("--login", options.filter.login, "by whose login they came: an account, * and ? in it");
    line.option("--recipient", options.filter.recipient,
                "to this recipient, not done yet; * stands for anything");
    line.option("--domain", options.filter.domain,
                "to a recipient at this domain; .example.org is all below it");
    line.option("--older", options.older, "at least that old: 90s, 15m, 2h, 3d, 1w");
    line.option("--newer", options.newer, "younger than that");
    line.option("--state", options.filter.states,
                "new, deferred, partly, held, later, bouncing, done, damaged (several: any of them)")
        .separated_by(',');
    line.option("--limit", options.limit, "at most so many messages, the oldest first").above_zero();
    line.flag("--subject", options.subject, "show the subject too");
    line.flag("--json", options.json, "print an array of JSON objects; times in unix seconds");
    line.flag("--all", options.all, "change every message in the queue");
    line.flag("--yes", options.yes, "do not ask before delete and bounce");
}

struct Verb {
    const char* word;
    ControlVerb verb;
    const char* done;
    const char* help;
};
constexpr Verb verbs[] = {
    {"hold", ControlVerb::hold, "held", "do not try messages until they are released"},
    {"release", ControlVerb::release, "released", "undo hold; send at once what is to be released later"},
    {"retry", ControlVerb::retry, "to be tried now", "try messages now"},
    {"delete", ControlVerb::remove, "deleted", "remove messages; nobody is told"},
    {"bounce", ControlVerb::bounce, "bounced",
     "return messages to their senders: what is not delivered fails now"},
};

int work(const Arguments& arguments) {
    ListOptions options;
    CommandLine line("Shows the messages in the queue and why they wait, and changes them.", "queue-list");
    add_options(line, options);
    line.takes_one(CommandLine::Subcommand::optional);
    Command show = line.subcommand("show", "everything about messages").fallthrough();
    show.option("ID", options.ids, "message ids").required();
    show.flag("--message", options.message, "and the message itself");
    std::vector<std::pair<Command, const Verb*>> changes;
    for (const Verb& each : verbs) {
        changes.emplace_back(line.subcommand(each.word, each.help).fallthrough(), &each);
        changes.back().first.option("ID", options.ids, "message ids");
    }
    std::vector<std::string> deliveries;
    Command end = line.subcommand("cut", "end deliveries that hang; their messages are tried again");
    end.option("DELIVERY", deliveries, "numbers of deliveries; without one, show what is under way");
    Command aside = line.subcommand("damaged", "damaged messages that were put aside").fallthrough();
    aside.option("ID", options.ids, "message ids");
    const auto anew = aside.flag("--resubmit", options.resubmit,
                                 "submit what is whole anew, for those who have not got it");
    aside.flag("--delete", options.remove, "remove them").excludes(anew);
    if (const auto code = line.parse(arguments)) return *code;
    complete(options);
    const auto home = control::Home::from_environment();
    try {
        // Without it no message is found either.
        if (const std::string queue = queue_directories(home).front(); ::access(queue.c_str(), F_OK) != 0)
            throw_errno("look at", queue);
        for (const auto& [command, each] : changes)
            if (command.given()) return change_messages(home, options, each->verb, each->word, each->done);
        if (aside.given()) return damaged_messages(home, options);
        if (end.given()) return cut_deliveries(home, deliveries);
        return list_messages(home, options, show.given());
    } catch (const Error& error) {
        // Whoever reads a pipe has seen enough.
        if (error.number() == EPIPE) return 0;
        throw_helpfully(home, error);
    }
}

}  // namespace
}  // namespace relais::queue

int main(int argc, char** argv) {
    return relais::control::run_tool("queue-list", argc, argv, relais::queue::work);
}
