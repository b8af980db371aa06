#include "setup/import_systems.h"

#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "base/error.h"
#include "base/held_directory.h"
#include "base/privilege.h"
#include "explain/plain.h"
#include "queue/importer.h"
#include "setup/databases.h"
#include "setup/exim_queue.h"
#include "setup/exim_settings.h"
#include "setup/import_messages.h"
#include "setup/old_queue.h"
#include "setup/old_settings.h"
#include "setup/postfix_queue.h"
#include "setup/postfix_settings.h"

namespace relais::setup {
namespace {

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
    const control::Owner qmailq = plan.identity.of(control::Role::qmailq);
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

}  // namespace

int import_qmail(const Plan& plan, const OldInstallation& from) {
    const std::string place = std::filesystem::weakly_canonical(std::filesystem::absolute(from.place));
    if (place == plan.home.directory()) throw_permanent(place + " cannot be brought into itself");
    const HeldDirectory old(place);
    refuse_what_is_no_qmail(old);
    const Fd old_lock = lock_old_queue(old);
    const auto locks = from.dry ? queue::QueueLocks{} : queue::lock_queue(plan.home);
    const bool odd = bring_settings(plan, old_settings(old, &plan), from.dry);
    become_qmailq(plan, {old.path(), old.path_of("queue"), old.path_of("control")});
    std::uint64_t faults = 0;
    const OldQueue queue(old, saying("FAULT", faults));
    const auto ids = queue.ids();
    const int code = bring_messages(plan.home,
                                    {.count = ids.size(),
                                     .read = [&](std::size_t index) { return queue.read(ids[index]); },
                                     .out_of_reach = fmt::format("mv {0}/queue {0}/queue.taken", old.path())},
                                    from.dry, faults);
    return code != 0 ? code : odd ? 1 : 0;
}

int import_postfix(const Plan& plan, const OldInstallation& from) {
    const PostfixConfig old(from.place);
    const std::string place = from.queue.empty() ? old.value("queue_directory") : from.queue;
    const HeldDirectory queue_directory(std::filesystem::canonical(place));
    const Fd old_lock = lock_postfix(queue_directory);
    const auto locks = from.dry ? queue::QueueLocks{} : queue::lock_queue(plan.home);
    const bool odd = bring_settings(plan, postfix_settings(old, plan), from.dry);
    const std::string origin = old.origin();  // it may be in a file that qmailq does not reach
    become_qmailq(plan, {queue_directory.path()});
    std::uint64_t faults = 0, notes = 0;
    const PostfixQueue queue(HeldDirectory(queue_directory.path()), origin, saying("FAULT", faults),
                             saying("note", notes));
    const int code = bring_messages(plan.home,
                                    {.count = queue.size(),
                                     .read = [&](std::size_t index) { return queue.read(index); },
                                     .out_of_reach = fmt::format("mv {0} {0}.taken", queue_directory.path())},
                                    from.dry, faults);
    return code != 0 ? code : odd ? 1 : 0;
}

int import_exim(const Plan& plan, const OldInstallation& from) {
    const EximConfig old = read_exim_config(from.place);
    const std::string place = from.queue.empty() ? "/var/spool/exim4" : from.queue;
    const HeldDirectory spool(std::filesystem::canonical(place));
    refuse_running_exim(spool);
    const auto locks = from.dry ? queue::QueueLocks{} : queue::lock_queue(plan.home);
    const bool odd = bring_settings(plan, exim_settings(old, plan), from.dry);
    become_qmailq(plan, {spool.path()});
    std::uint64_t faults = 0, notes = 0;
    const EximQueue queue(HeldDirectory(spool.path()), saying("FAULT", faults), saying("note", notes));
    const int code =
        bring_messages(plan.home,
                       {.count = queue.size(),
                        .read = [&](std::size_t index) { return queue.read(index); },
                        .out_of_reach = fmt::format("mv {0}/input {0}/input.taken", spool.path())},
                       from.dry, faults);
    return code != 0 ? code : odd ? 1 : 0;
}

}  // namespace relais::setup
