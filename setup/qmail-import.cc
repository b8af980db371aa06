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

#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "base/command_line.h"
#include "base/error.h"
#include "base/privilege.h"
#include "control/enter.h"
#include "control/tool.h"
#include "explain/plain.h"
#include "queue/importer.h"
#include "setup/databases.h"
#include "setup/exim_queue.h"
#include "setup/exim_settings.h"
#include "setup/identity.h"
#include "setup/import_messages.h"
#include "setup/old_queue.h"
#include "setup/old_settings.h"
#include "setup/postfix_queue.h"
#include "setup/postfix_settings.h"
#include "setup/programs.h"

namespace relais::setup {
namespace {

using control::Role;

struct Options {
    std::string from = "qmail";
    std::string queue;
    std::string old;
    std::string directory;
    bool dry = false;
};

std::string words(OldSetting::Fate fate) {
    switch (fate) {
        case OldSetting::Fate::take:
            return "take";
        case OldSetting::Fate::taken:
        case OldSetting::Fate::stays:
            return "leave";
        case OldSetting::Fate::by_hand:
            return "by hand";
        case OldSetting::Fate::unknown:
            return "unknown";
        case OldSetting::Fate::fault:
            break;
    }
    return "FAULT";
}

// True if there is something that somebody must look at.
bool report_settings(const std::vector<OldSetting>& settings) {
    bool odd = false;
    for (const OldSetting& setting : settings) {
        odd = odd || setting.fate == OldSetting::Fate::fault || setting.fate == OldSetting::Fate::unknown;
        say(fmt::format("{:<8} {}{}{}", words(setting.fate), explain::plain(setting.path),
                        setting.text.empty() ? "" : ": ", setting.text));
    }
    return odd;
}

void refuse_what_is_no_qmail(const HeldDirectory& old) {
    struct stat status {};
    if (old.look("control", status) && part_of(old, "control").look("owners", status))
        throw_permanent(old.path() + " is an instance of relais: docs/backup.md says how it moves");
    if (!old.look("queue", status) || !part_of(old, "queue").look("mess", status))
        throw_permanent(old.path() + "/queue/mess is missing: this is no qmail installation");
}

// Before the first octet of the old queue is read. reading: what it may open beside the instance.
void become_qmailq(const Plan& plan, std::vector<std::string> reading) {
    const control::Owner qmailq = plan.identity.of(Role::qmailq);
    empty_bounding_set();
    if (::geteuid() == 0)
        drop_privilege_but_reading(qmailq.uid, qmailq.gid);
    else
        drop_privilege(qmailq.uid, qmailq.gid);
    ::umask(007);
    reading.push_back(plan.home.directory());
    confine({.open_files = true,
             .change_files = true,
             .move_files = true,
             .read_below = std::move(reading),
             .write_below = {plan.home.path("queue")}});
}

Plan enter(std::string directory) {
    if (directory.empty()) directory = control::Home::from_environment().directory();
    directory = std::filesystem::weakly_canonical(std::filesystem::absolute(directory));
    hold_programs();
    return plan_of_instance(control::enter(control::Home(directory), group_of_user));
}

// What is proposed, written; true if there is something that somebody must look at.
bool bring_settings(const Plan& plan, const std::vector<OldSetting>& settings, bool dry) {
    const bool odd = report_settings(settings);
    if (dry) return odd;
    take_settings(plan, settings);
    // The queue goes on: who has to mend a file should not have to do it before
    // the mail is here.
    const auto refused = refused_databases(plan);
    for (const std::string& text : refused) say(fmt::format("{:<8} {}", "FAULT", text));
    return odd || !refused.empty();
}

int import_qmail(const Plan& plan, const Options& options) {
    const std::string place = std::filesystem::weakly_canonical(std::filesystem::absolute(options.old));
    if (place == plan.home.directory()) throw_permanent(place + " cannot be brought into itself");
    const HeldDirectory old(place);
    refuse_what_is_no_qmail(old);
    const Fd old_lock = lock_old_queue(old);
    const auto locks = options.dry ? queue::QueueLocks{} : queue::lock_queue(plan.home);
    const bool odd = bring_settings(plan, old_settings(old, &plan), options.dry);
    become_qmailq(plan, {old.path(), old.path_of("queue"), old.path_of("control")});
    std::uint64_t faults = 0;
    const OldQueue queue(old, saying("FAULT", faults));
    const auto ids = queue.ids();
    const int code = bring_messages(plan.home,
                                    {.count = ids.size(),
                                     .read = [&](std::size_t index) { return queue.read(ids[index]); },
                                     .out_of_reach = fmt::format("mv {0}/queue {0}/queue.taken", old.path())},
                                    options.dry, faults);
    return code != 0 ? code : odd ? 1 : 0;
}

int import_postfix(const Plan& plan, const Options& options) {
    const PostfixConfig old(options.old);
    const std::string place = options.queue.empty() ? old.value("queue_directory") : options.queue;
    const HeldDirectory queue_directory(std::filesystem::canonical(place));
    const Fd old_lock = lock_postfix(queue_directory);
    const auto locks = options.dry ? queue::QueueLocks{} : queue::lock_queue(plan.home);
    const bool odd = bring_settings(plan, postfix_settings(old, plan), options.dry);
    const std::string origin = old.origin();  // it may be in a file that qmailq does not reach
    become_qmailq(plan, {queue_directory.path()});
    std::uint64_t faults = 0, notes = 0;
    const PostfixQueue queue(HeldDirectory(queue_directory.path()), origin, saying("FAULT", faults),
                             saying("note", notes));
    const int code = bring_messages(plan.home,
                                    {.count = queue.size(),
                                     .read = [&](std::size_t index) { return queue.read(index); },
                                     .out_of_reach = fmt::format("mv {0} {0}.taken", queue_directory.path())},
                                    options.dry, faults);
    return code != 0 ? code : odd ? 1 : 0;
}

int import_exim(const Plan& plan, const Options& options) {
    const EximConfig old = read_exim_config(options.old);
    const std::string place = options.queue.empty() ? "/var/spool/exim4" : options.queue;
    const HeldDirectory spool(std::filesystem::canonical(place));
    refuse_running_exim(spool);
    const auto locks = options.dry ? queue::QueueLocks{} : queue::lock_queue(plan.home);
    const bool odd = bring_settings(plan, exim_settings(old, plan), options.dry);
    become_qmailq(plan, {spool.path()});
    std::uint64_t faults = 0, notes = 0;
    const EximQueue queue(HeldDirectory(spool.path()), saying("FAULT", faults), saying("note", notes));
    const int code =
        bring_messages(plan.home,
                       {.count = queue.size(),
                        .read = [&](std::size_t index) { return queue.read(index); },
                        .out_of_reach = fmt::format("mv {0}/input {0}/input.taken", spool.path())},
                       options.dry, faults);
    return code != 0 ? code : odd ? 1 : 0;
}

int import(const Arguments& arguments) {
    Options options;
    CommandLine line("Brings settings and queue of another mail system into an instance.", "qmail-import");
    line.option("OLD", options.old,
                "qmail: the directory with control, queue, users, alias; Postfix: with main.cf")
        .required();
    line.option("DIR", options.directory, "the instance ($QMAILHOME, else /var/qmail)");
    line.option("--from", options.from, "qmail (as without it), postfix or exim4");
    line.option("--queue", options.queue, "the old queue, where it is not where OLD says");
    line.flag("-n,--dry-run", options.dry, "say what would be taken, and change nothing");
    if (const auto code = line.parse(arguments)) return *code;
    if (options.from != "qmail" && options.from != "postfix" && options.from != "exim4")
        throw_permanent("--from " + options.from + " is neither qmail, postfix nor exim4");
    if (options.from == "qmail" && !options.queue.empty())
        throw_permanent("--queue is for other systems than qmail, whose queue is in its directory");
    const Plan plan = enter(options.directory);
    if (options.from == "qmail") return import_qmail(plan, options);
    return options.from == "postfix" ? import_postfix(plan, options) : import_exim(plan, options);
}

}  // namespace
}  // namespace relais::setup

int main(int argc, char** argv) {
    return relais::control::run_tool("qmail-import", argc, argv, relais::setup::import,
                                     relais::control::Instance::in_arguments);
}
