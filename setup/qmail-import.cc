// qmail-import brings what a qmail installation has into an instance: control files, users/assign, .qmail
// files of alias, and the messages of its queue with their age, who has had them, and what is to be told of
// failures.
//
//   qmail-import [-n | --dry-run] OLD [DIR]
//
// DIR is the instance, $QMAILHOME or /var/qmail without it. Both qmail-sends stand still meanwhile: it takes
// the locks of both, and says who holds one. It changes nothing in OLD, follows no link there, and may be run
// again after an interruption: ledgers in the instance know what has been brought. Root copies the settings;
// before the queue is read it becomes qmailq, confined, but for the right to read the files of the old users.
// What stands in OLD is trusted in nothing but the settings that the administrator asks to take over.
//
// Exit codes: 0 all was taken; 1 something is named that was not; 100 wrong usage or refused; 111 the system
// failed.

#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>

#include "base/command_line.h"
#include "base/deadline.h"
#include "base/error.h"
#include "base/privilege.h"
#include "control/enter.h"
#include "control/tool.h"
#include "queue/importer.h"
#include "setup/databases.h"
#include "setup/identity.h"
#include "setup/old_queue.h"
#include "setup/old_settings.h"
#include "setup/programs.h"

namespace relais::setup {
namespace {

using control::Role;

struct Options {
    std::string old;
    std::string directory;
    bool dry = false;
};

struct Counts {
    std::uint64_t found = 0;
    std::uint64_t ready = 0;
    std::uint64_t before = 0;  // brought by an earlier run
    std::uint64_t brought = 0;
    std::uint64_t bounces = 0;
    std::uint64_t finished = 0;
    std::uint64_t unfinished = 0;
    std::uint64_t lost = 0;
    std::uint64_t faults = 0;
};

void say(const std::string& text) {
    std::puts(text.c_str());
    std::fflush(stdout);
}

// How far it is, and how long it will take, for somebody who looks on.
class Progress {
  public:
    explicit Progress(std::uint64_t all) : all_(all) {}
    ~Progress() {
        if (shown_) std::fputc('\n', stderr);
    }
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

    void at(std::uint64_t done) {
        constexpr auto pause = std::chrono::milliseconds(500);
        const auto now = Clock::now();
        if (!terminal_ || now - shown_at_ < pause || done == 0) return;
        shown_at_ = now;
        shown_ = true;
        const auto seconds = std::chrono::duration_cast<Seconds>(now - begun_).count();
        fmt::print(stderr, "\r{} of {} ({} %), {} s to go   ", done, all_, done * 100 / all_,
                   static_cast<std::uint64_t>(seconds) * (all_ - done) / done);
    }

  private:
    std::uint64_t all_;
    bool terminal_ = ::isatty(STDERR_FILENO) == 1;
    bool shown_ = false;
    Clock::time_point begun_ = Clock::now(), shown_at_ = begun_;
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

// Names may be anybody's.
std::string shown(std::string text) {
    std::ranges::replace_if(
        text, [](char c) { return c < 32 || c > 126; }, '_');
    return text;
}

// True if there is something that somebody must look at.
bool report_settings(const std::vector<OldSetting>& settings) {
    bool odd = false;
    for (const OldSetting& setting : settings) {
        odd = odd || setting.fate == OldSetting::Fate::fault || setting.fate == OldSetting::Fate::unknown;
        say(fmt::format("{:<8} {}{}{}", words(setting.fate), shown(setting.path),
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

bool has_bounce(const OldMessage& message) {
    return !message.bounce.empty();
}

queue::ImportedMessage entering(const OldMessage& message) {
    return {message.key, message.birth, message.envelope, message.body.get(), message.bounce};
}

// importer may be null: then it only looks.
Counts go_through(const OldQueue& old, const std::unordered_set<std::string>& before,
                  queue::Importer* importer) {
    Counts counts;
    const auto ids = old.ids();
    Progress progress(ids.size());
    for (const std::uint64_t id : ids) {
        progress.at(counts.found++);
        const OldMessage message = old.read(id);
        switch (message.state) {
            case OldState::finished:
                ++counts.finished;
                continue;
            case OldState::unfinished:
                ++counts.unfinished;
                continue;
            case OldState::lost:
                ++counts.lost;
                continue;
            case OldState::ready:
                break;
        }
        ++counts.ready;
        if (before.contains(message.key)) {
            ++counts.before;
            continue;
        }
        if (has_bounce(message)) ++counts.bounces;
        if (importer == nullptr) continue;
        importer->add(entering(message));
        ++counts.brought;
    }
    if (importer != nullptr) importer->commit();
    return counts;
}

void report_queue(const Counts& counts, bool dry) {
    say(fmt::format(
        "queue: {} numbers found: {} messages to deliver, {} delivered to all, {} never accepted, "
        "{} that cannot be read",
        counts.found, counts.ready, counts.finished, counts.unfinished, counts.lost));
    say(fmt::format(
        "       {} were brought before, {} {} now, {} of these with a bounce to tell; {} faults named",
        counts.before, dry ? counts.ready - counts.before : counts.brought,
        dry ? "would be brought" : "are brought", counts.bounces, counts.faults));
}

// Before the first octet of the old queue is read.
void become_qmailq(const Plan& plan, const HeldDirectory& old) {
    const control::Owner qmailq = plan.identity.of(Role::qmailq);
    empty_bounding_set();
    if (::geteuid() == 0)
        drop_privilege_but_reading(qmailq.uid, qmailq.gid);
    else
        drop_privilege(qmailq.uid, qmailq.gid);
    ::umask(007);
    confine({.open_files = true,
             .change_files = true,
             .move_files = true,
             .read_below = {old.path(), old.path_of("queue"), old.path_of("control"), plan.home.directory()},
             .write_below = {plan.home.path("queue")}});
}

int bring_queue(const Plan& plan, const HeldDirectory& old, const Options& options) {
    std::uint64_t faults = 0;
    const OldQueue queue(old, [&](const std::string& path, const std::string& text) {
        ++faults;
        say(fmt::format("FAULT    {}: {}", shown(path), text));
    });
    Counts counts;
    std::uint64_t ours = 0;
    if (options.dry) {
        counts = go_through(queue, queue::read_ledger(plan.home), nullptr);
    } else {
        queue::Importer importer(plan.home);
        const auto before = queue::read_ledger(plan.home);
        counts = go_through(queue, before, &importer);
        ours = queue::Store(plan.home).count();
    }
    counts.faults = faults;
    report_queue(counts, options.dry);
    if (options.dry) return counts.faults != 0 || counts.lost != 0 ? 1 : 0;
    say(fmt::format("       {} messages are in {} now", ours, plan.home.path("queue")));
    const bool whole = counts.lost == 0 && counts.faults == 0;
    say(whole ? "all was taken; so that nothing delivers it a second time:"
              : "what is named above was not taken; so that nothing delivers the rest a second time:");
    say(fmt::format("    mv {0}/queue {0}/queue.taken", old.path()));
    return whole ? 0 : 1;
}

Plan enter(std::string directory) {
    if (directory.empty()) directory = control::Home::from_environment().directory();
    directory = std::filesystem::weakly_canonical(std::filesystem::absolute(directory));
    hold_programs();
    return plan_of_instance(control::enter(control::Home(directory), group_of_user));
}

int import(const Arguments& arguments) {
    Options options;
    CommandLine line("Brings settings and queue of a qmail installation into an instance.", "qmail-import");
    line.option("OLD", options.old, "the installation: the directory with control, queue, users, alias")
        .required();
    line.option("DIR", options.directory, "the instance ($QMAILHOME, else /var/qmail)");
    line.flag("-n,--dry-run", options.dry, "say what would be taken, and change nothing");
    if (const auto code = line.parse(arguments)) return *code;
    const std::string place = std::filesystem::weakly_canonical(std::filesystem::absolute(options.old));
    const Plan plan = enter(options.directory);
    if (place == plan.home.directory()) throw_permanent(place + " cannot be brought into itself");
    const HeldDirectory old(place);
    refuse_what_is_no_qmail(old);
    const Fd old_lock = lock_old_queue(old);
    const auto locks = options.dry ? queue::QueueLocks{} : queue::lock_queue(plan.home);
    const auto settings = old_settings(old, &plan);
    const bool odd = report_settings(settings);
    if (!options.dry) {
        take_settings(plan, settings);
        compile_databases(plan);
    }
    become_qmailq(plan, old);
    const int code = bring_queue(plan, old, options);
    return code != 0 ? code : odd ? 1 : 0;
}

}  // namespace
}  // namespace relais::setup

int main(int argc, char** argv) {
    return relais::control::run_tool("qmail-import", argc, argv, relais::setup::import,
                                     relais::control::Instance::in_arguments);
}
