#include "setup/top.h"

#include <signal.h>
#include <unistd.h>

#include <optional>
#include <thread>

#include "base/event_loop.h"
#include "base/io.h"
#include "base/printable.h"
#include "base/program.h"
#include "base/text.h"
#include "base/time.h"
#include "control/owners.h"
#include "metrics/page.h"
#include "setup/terminal.h"
#include "setup/top_door.h"
#include "setup/top_picture.h"

namespace relais::setup {
namespace {

constexpr std::chrono::milliseconds between{2000};
constexpr std::chrono::milliseconds between_plain{1000};
// Two minutes.
constexpr std::size_t rates_kept = 60;

bool shows_utf8() {
    for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"})
        if (const std::string value = lower(environment(name, "")); !value.empty())
            return value.find("utf-8") != std::string::npos || value.find("utf8") != std::string::npos;
    return false;
}

// Looks again and again at one instance.
class Watch {
  public:
    explicit Watch(const control::Home& home)
        : home_(home), door_(home, control::Owners::read_incomplete(home)) {
        picture_.instance = printable(home.directory());
    }

    const TopPicture& look() {
        const metrics::Pages pages = metrics::read_pages(home_);
        const metrics::Sample sample = metrics::sample_of(pages, Clock::now());
        if (before_) add_rates(*before_, sample);
        before_ = sample;
        picture_.levels = metrics::levels_of(pages);
        const TopAnswers said = door_.ask();
        picture_.silence = printable(said.silence);
        picture_.ending = said.running.starts_with("qmail-send is ending");
        // It knows better than its page, which it writes now and then.
        if (said.silence.empty()) picture_.levels.queue = number_of(said.stat, "known");
        picture_.fresh = number_of(said.stat, "new");
        picture_.waiting = number_of(said.stat, "waiting") + number_of(said.stat, "waiting-for-destination");
        picture_.destinations = destinations_of(said.stat, said.running);
        picture_.now = now_seconds();
        return picture_;
    }
    const TopPicture& picture() const { return picture_; }

  private:
    void add_rates(const metrics::Sample& before, const metrics::Sample& after) {
        const double seconds = std::chrono::duration<double>(after.time - before.time).count();
        if (seconds <= 0) return;
        for (std::size_t kind = 0; kind < metrics::count_kinds; ++kind) {
            auto& rates = picture_.rates[kind];
            rates.push_back(
                static_cast<double>(metrics::growth(before, after, static_cast<metrics::Count>(kind))) /
                seconds);
            if (rates.size() > rates_kept) rates.pop_front();
        }
    }

    control::Home home_;
    TopDoor door_;
    std::optional<metrics::Sample> before_;
    TopPicture picture_;
};

class Live {
  public:
    explicit Live(Watch& watch) : watch_(watch) {
        for (const int ending : {SIGINT, SIGTERM, SIGHUP, SIGQUIT})
            loop_.on_signal(ending, [this] { loop_.stop(); });
        loop_.on_signal(SIGWINCH, [this] { show(); });
        loop_.on_signal(SIGTSTP, [this] { pause(); });
        loop_.add(STDIN_FILENO, EPOLLIN, [this](std::uint32_t) { take_keys(); });
        look();
    }
    void run() { loop_.run(); }

  private:
    void look() {
        watch_.look();
        show();
        loop_.after(between, [this] { look(); });
    }
    void show() {
        const Terminal::Size size = Terminal::size();
        if (!terminal_.show(draw(watch_.picture(), {size.columns, size.rows, true, shows_utf8()})))
            loop_.stop();
    }
    // ^Z: the shell has its terminal until it brings this back.
    void pause() {
        terminal_.leave();
        ::raise(SIGSTOP);
        terminal_.enter();
        show();
    }
    void take_keys() {
        std::string keys;
        if (!Terminal::read_keys(keys) || keys.find_first_of("qQ") != std::string::npos) return loop_.stop();
        show();
    }

    Watch& watch_;
    EventLoop loop_;
    Terminal terminal_;
};

}  // namespace

int top(const control::Home& home) {
    Watch watch(home);
    if (Terminal::usable()) {
        Live(watch).run();
        return 0;
    }
    // A rate needs two looks.
    watch.look();
    std::this_thread::sleep_for(between_plain);
    write_all(STDOUT_FILENO, draw(watch.look(), {80, 0, false, shows_utf8()}), Deadline::never());
    return 0;
}

}  // namespace relais::setup
