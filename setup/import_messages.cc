#include "setup/import_messages.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "base/deadline.h"
#include "explain/plain.h"
#include "queue/importer.h"

namespace relais::setup {
namespace {

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

bool has_bounce(const OldMessage& message) {
    return !message.bounce.empty();
}

queue::ImportedMessage entering(const OldMessage& message) {
    return {message.key, message.birth, message.envelope, message.body.get(), message.text, message.bounce};
}

// importer may be null: then it only looks.
Counts go_through(const OldMessages& old, const std::unordered_set<std::string>& before,
                  queue::Importer* importer) {
    Counts counts;
    Progress progress(old.count);
    for (std::size_t index = 0; index < old.count; ++index) {
        progress.at(counts.found++);
        const OldMessage message = old.read(index);
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

}  // namespace

void say(const std::string& text) {
    std::puts(text.c_str());
    std::fflush(stdout);
}

Fault saying(const std::string& word, std::uint64_t& count) {
    return [word, &count](const std::string& path, const std::string& text) {
        ++count;
        say(fmt::format("{:<8} {}: {}", word, explain::plain(path), text));
    };
}

int bring_messages(const control::Home& home, const OldMessages& old, bool dry, const std::uint64_t& faults) {
    Counts counts;
    std::uint64_t ours = 0;
    if (dry) {
        counts = go_through(old, queue::read_ledger(home), nullptr);
    } else {
        queue::Importer importer(home);
        const auto before = queue::read_ledger(home);
        counts = go_through(old, before, &importer);
        ours = queue::Store(home).count();
    }
    counts.faults = faults;
    report_queue(counts, dry);
    const bool whole = counts.lost == 0 && counts.faults == 0;
    if (dry) return whole ? 0 : 1;
    say(fmt::format("       {} messages are in {} now", ours, home.path("queue")));
    say(whole ? "all was taken; so that nothing delivers it a second time:"
              : "what is named above was not taken; so that nothing delivers the rest a second time:");
    say("    " + old.out_of_reach);
    return whole ? 0 : 1;
}

}  // namespace relais::setup
