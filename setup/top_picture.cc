#include "setup/top_picture.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "base/columns.h"
#include "base/time.h"

namespace relais::setup {
namespace {

constexpr std::string_view bold = "\033[1m", reversed = "\033[7m", plain = "\033[0m";
constexpr unsigned narrow = 60;
constexpr std::size_t slowest_shown = 6;
// Of a table that goes to no terminal.
constexpr std::size_t most_rows = 20;
constexpr std::int64_t old_look = 30;

constexpr std::string_view names[metrics::count_kinds] = {
    "into the queue", "delivered here", "delivered elsewhere", "deferred", "failed", "refused clients"};

std::string rate_text(double rate) {
    return rate == 0 ? "-" : rate < 10 ? fmt::format("{:.1f}", rate) : fmt::format("{:.0f}", rate);
}

std::string milliseconds_text(std::uint64_t span) {
    if (span == 0) return "-";
    return span < 1000 ? fmt::format("{} ms", span)
                       : fmt::format("{:.1f} s", static_cast<double>(span) / 1000);
}

std::string seconds_text(std::uint64_t span) {
    if (span == 0) return "-";
    if (span < 120) return fmt::format("{} s", span);
    return span < 7200 ? fmt::format("{} min", span / 60) : fmt::format("{} h", span / 3600);
}

std::string right(std::string_view text, unsigned columns) {
    return text.size() >= columns ? fit(text, columns)
                                  : std::string(columns - text.size(), ' ') + std::string(text);
}

// A little picture of the newest rates, each a letter high.
std::string curve(const std::deque<double>& rates, unsigned columns, bool blocks) {
    constexpr std::string_view high[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    constexpr std::string_view rough[] = {" ", ".", ".", ":", ":", "|", "|", "#", "#"};
    const std::size_t shown = std::min<std::size_t>(rates.size(), columns);
    double highest = 0;
    for (std::size_t i = rates.size() - shown; i < rates.size(); ++i) highest = std::max(highest, rates[i]);
    std::string text(columns - shown, ' ');
    for (std::size_t i = rates.size() - shown; i < rates.size(); ++i) {
        const auto level = highest > 0 ? static_cast<std::size_t>(std::ceil(rates[i] / highest * 8)) : 0;
        const std::size_t step = level < 8 ? level : 8;
        text += blocks ? high[step] : rough[step];
    }
    return text;
}

std::string gauge(std::uint64_t taken, std::uint64_t places, unsigned columns, bool blocks) {
    std::uint64_t full = places == 0 ? 0 : std::min(taken, places) * columns / places;
    if (taken > 0 && full == 0) full = 1;
    std::string text;
    for (unsigned i = 0; i < columns; ++i) text += i < full ? (blocks ? "█" : "#") : blocks ? "░" : ".";
    return text;
}

// Collects lines as long as there is room.
class Paper {
  public:
    explicit Paper(const TopScreen& screen) : screen_(screen) {}
    bool full() const { return screen_.rows != 0 && used_ >= screen_.rows; }
    std::size_t left() const { return screen_.rows == 0 ? most_rows : screen_.rows - used_; }
    void line(std::string_view text, std::string_view dress = "") {
        if (full()) return;
        ++used_;
        std::string cut = fit(text, screen_.columns);
        // A bar of the whole width where it is dressed, and no blanks at the end elsewhere.
        if (dress != reversed || !screen_.dress) cut.erase(cut.find_last_not_of(' ') + 1);
        text_ += screen_.dress && !dress.empty() ? std::string(dress) + cut + std::string(plain) : cut;
        text_ += '\n';
    }
    std::string take() { return std::move(text_); }

  private:
    const TopScreen& screen_;
    std::size_t used_ = 0;
    std::string text_;
};

void add_flow(Paper& paper, const TopPicture& picture, const TopScreen& screen) {
    const bool small = screen.columns < narrow;
    const unsigned name_width = small ? 20 : 22;
    paper.line(fit("Messages a second", name_width) + right("now", 8) + (small ? "" : right("lately", 8)),
               bold);
    for (std::size_t kind = 0; kind < metrics::count_kinds; ++kind) {
        const auto& rates = picture.rates[kind];
        double all = 0;
        for (const double rate : rates) all += rate;
        std::string text =
            fit(names[kind], name_width) + right(rate_text(rates.empty() ? 0 : rates.back()), 8);
        if (!small) {
            text += right(rate_text(rates.empty() ? 0 : all / static_cast<double>(rates.size())), 8) + "  ";
            text += curve(rates, std::min(60U, screen.columns - name_width - 18), screen.blocks);
        }
        paper.line(text);
    }
}

void add_places(Paper& paper, const TopPicture& picture, const TopScreen& screen) {
    const metrics::Levels& levels = picture.levels;
    const unsigned width = screen.columns < narrow ? 10 : std::min(60U, screen.columns - 40);
    const auto row = [&](std::string_view name, std::uint64_t taken, std::uint64_t places) {
        paper.line(fit(name, 14) + right(fmt::format("{} of {}", taken, places), 14) + "  " +
                   gauge(taken, places, width, screen.blocks));
    };
    paper.line("Places taken", bold);
    row("local", levels.running_local, levels.limit_local);
    row("remote", levels.running_remote, levels.limit_remote);
}

std::string queue_text(const TopPicture& picture) {
    std::string text = fmt::format("Queue: {} messages, {} new, {} waiting for their next try",
                                   picture.levels.queue, picture.fresh, picture.waiting);
    if (picture.levels.held > 0) text += fmt::format(", {} held", picture.levels.held);
    if (picture.levels.damaged > 0) text += fmt::format(", {} DAMAGED", picture.levels.damaged);
    return text;
}

void add_destinations(Paper& paper, const TopPicture& picture, const TopScreen& screen, std::size_t rows) {
    const bool small = screen.columns < narrow;
    const unsigned name_width = small ? std::max(8U, screen.columns - std::min(screen.columns, 24U))
                                      : std::min(40U, screen.columns / 2 - 4);
    paper.line(fit("Destinations", name_width) + right("now", 8) + (small ? "" : right("next", 8)) +
                   right("waiting", 9) + (small ? "" : "  trouble"),
               bold);
    std::size_t shown = 0;
    for (const TopDestination& each : picture.destinations) {
        if (shown++ == rows) break;
        paper.line(fit(each.name, name_width) + right(std::to_string(each.running), 8) +
                   (small ? "" : right(std::to_string(each.queued), 8)) +
                   right(std::to_string(each.waiting), 9) + (small ? "" : "  " + each.trouble));
    }
    if (picture.destinations.empty()) paper.line("none has anything to do");
}

void add_slowest(Paper& paper, const TopPicture& picture, const TopScreen& screen) {
    std::vector<const TopDestination*> order;
    for (const TopDestination& each : picture.destinations)
        if (each.usual > 0 || each.longest > 0) order.push_back(&each);
    std::stable_sort(order.begin(), order.end(), [](const TopDestination* a, const TopDestination* b) {
        return std::max(a->usual, a->longest * 1000) > std::max(b->usual, b->longest * 1000);
    });
    if (order.empty()) return;
    if (order.size() > slowest_shown) order.resize(slowest_shown);
    const unsigned name_width = screen.columns < narrow
                                    ? std::max(8U, screen.columns - std::min(screen.columns, 24U))
                                    : std::min(40U, screen.columns / 2 - 4);
    paper.line("");
    paper.line(fit("Slowest", name_width) + right("usually", 10) + right("under way", 12), bold);
    for (const TopDestination* each : order)
        paper.line(fit(each->name, name_width) + right(milliseconds_text(each->usual), 10) +
                   right(seconds_text(each->longest), 12));
}

std::string state_of(const TopPicture& picture) {
    if (!picture.silence.empty()) return picture.silence;
    if (picture.ending) return "qmail-send is ending: it starts no delivery";
    if (!picture.levels.known) return "there are no counters: qmail-setup --repair makes room for them";
    const std::int64_t age = picture.now - picture.levels.looked;
    return age > old_look ? fmt::format("qmail-send has counted nothing for {} seconds", age) : "";
}

}  // namespace

std::string draw(const TopPicture& picture, const TopScreen& screen) {
    Paper paper(screen);
    const std::string clock = date_gmt(picture.now) + " GMT";
    const std::size_t room = screen.columns > clock.size() + 1 ? screen.columns - clock.size() - 1 : 0;
    paper.line(room < 20 ? "relais " + picture.instance
                         : fit("relais " + picture.instance, static_cast<unsigned>(room)) + " " + clock,
               reversed);
    if (const std::string state = state_of(picture); !state.empty()) paper.line("! " + state, bold);
    add_flow(paper, picture, screen);
    paper.line("");
    add_places(paper, picture, screen);
    paper.line("");
    paper.line(queue_text(picture), bold);
    paper.line("");
    // The slow ones keep their lines where both do not fit.
    const std::size_t for_slow = slowest_shown + 3;
    const std::size_t left = paper.left();
    add_destinations(paper, picture, screen,
                     left > 2 * for_slow ? left - for_slow : std::max<std::size_t>(left / 2, 2));
    add_slowest(paper, picture, screen);
    return paper.take();
}

}  // namespace relais::setup
