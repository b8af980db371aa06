// qmail-import brings what another mail system has into an instance: of qmail control files, users/assign
// and .qmail files of alias, of Postfix and Exim what their settings mean here; and the messages of its
// queue with their age, who has had them, and what is to be told of failures.
//
//   qmail-import [-n | --dry-run] [--from SYSTEM] [--queue QUEUE] OLD [DIR]
//
// DIR is the instance, $QMAILHOME or /var/qmail without it. Both systems stand still meanwhile: it takes
// the locks of both, and says who holds one. It changes nothing in OLD, follows no link there, and may be run
// again after an interruption: ledgers in the instance know what has been brought. Root copies the settings;
// before the queue is read it becomes qmailq, confined, but for the right to read the files of the old users.
// What stands in OLD is trusted in nothing but the settings that the administrator asks to take over.
//
// Exit codes: 0 all was taken, but for what is said to be done by hand; 1 there is a line FAULT or unknown,
// or a message that was not taken; 100 wrong usage or refused; 111 the system failed.

#include <filesystem>

#include "base/command_line.h"
#include "base/error.h"
#include "control/enter.h"
#include "control/tool.h"
#include "setup/identity.h"
#include "setup/import_systems.h"
#include "setup/programs.h"

namespace relais::setup {
namespace {

Plan enter(std::string directory) {
    if (directory.empty()) directory = control::Home::from_environment().directory();
    directory = std::filesystem::weakly_canonical(std::filesystem::absolute(directory));
    hold_programs();
    return plan_of_instance(control::enter(control::Home(directory), group_of_user));
}

int import(const Arguments& arguments) {
    OldInstallation old;
    std::string from = "qmail";
    std::string directory;
    CommandLine line("Brings settings and queue of another mail system into an instance.", "qmail-import");
    line.option("OLD", old.place,
                "qmail: the directory with control, queue, users, alias; Postfix: with main.cf")
        .required();
    line.option("DIR", directory, "the instance ($QMAILHOME, else /var/qmail)");
    line.option("--from", from, "qmail (as without it), postfix or exim4");
    line.option("--queue", old.queue, "the old queue, where it is not where OLD says");
    line.flag("-n,--dry-run", old.dry, "say what would be taken, and change nothing");
    if (const auto code = line.parse(arguments)) return *code;
    if (from != "qmail" && from != "postfix" && from != "exim4")
        throw_permanent("--from " + from + " is neither qmail, postfix nor exim4");
    if (from == "qmail" && !old.queue.empty())
        throw_permanent("--queue is for other systems than qmail, whose queue is in its directory");
    const Plan plan = enter(directory);
    if (from == "qmail") return import_qmail(plan, old);
    return from == "postfix" ? import_postfix(plan, old) : import_exim(plan, old);
}

}  // namespace
}  // namespace relais::setup

int main(int argc, char** argv) {
    return relais::control::run_tool("qmail-import", argc, argv, relais::setup::import,
                                     relais::control::Instance::in_arguments);
}
