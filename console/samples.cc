#include "console/samples.h"

#include <fmt/core.h>

#include <algorithm>

#include "console/html.h"

namespace relais::console {
namespace {

constexpr std::size_t most_samples = 3600 / Samples::between.count() + 24;

// All values of the row, or one.
std::uint64_t sum(const metrics::Pages& pages, std::string_view key, std::string_view value = "") {
    for (const metrics::Metric& metric : metrics::table) {
        if (metric.key != key) continue;
        const auto page = pages.find(metric.role);
        if (page == pages.end()) return 0;
        if (!value.empty()) return page->second[metric.slot + metrics::slot_of_value(metric, value)];
        std::uint64_t all = 0;
        for (std::size_t i = 0; i < metrics::count_of_values(metric); ++i)
            all += page->second[metric.slot + i];
        return all;
    }
    return 0;
}

}  // namespace

Sample sample_of(const metrics::Pages& pages, Clock::time_point now) {
    return {
        now,
        {sum(pages, "queue.taken"), sum(pages, "send.success", "local"), sum(pages, "send.success", "remote"),
         sum(pages, "send.deferral"), sum(pages, "send.failure"), sum(pages, "smtp.refused")}};
}

Levels levels_of(const metrics::Pages& pages) {
    Levels levels;
    levels.known = pages.contains(control::Role::qmails);
    levels.queue = sum(pages, "send.queue");
    levels.held = sum(pages, "send.queue", "held");
    levels.damaged = sum(pages, "send.queue", "damaged");
    levels.running_local = sum(pages, "send.running", "local");
    levels.limit_local = sum(pages, "send.limit", "local");
    levels.running_remote = sum(pages, "send.running", "remote");
    levels.limit_remote = sum(pages, "send.limit", "remote");
    levels.looked = static_cast<std::int64_t>(sum(pages, "send.looked"));
    return levels;
}

Samples::Samples(EventLoop& loop, control::Home home) : loop_(loop), home_(std::move(home)) {
    look();
}

void Samples::look() {
    const metrics::Pages pages = metrics::read_pages(home_);
    levels_ = levels_of(pages);
    samples_.push_back(sample_of(pages, Clock::now()));
    if (samples_.size() > most_samples) samples_.pop_front();
    loop_.after(between, [this] { look(); });
}

std::array<std::uint64_t, Samples::minutes> Samples::per_minute(Count count) const {
    std::array<std::uint64_t, minutes> all{};
    const auto now = Clock::now();
    for (std::size_t i = 1; i < samples_.size(); ++i) {
        const auto age = std::chrono::duration_cast<std::chrono::minutes>(now - samples_[i].time).count();
        if (age < 0 || static_cast<std::size_t>(age) >= minutes) continue;
        const std::uint64_t before = samples_[i - 1].counts[static_cast<std::size_t>(count)];
        const std::uint64_t after = samples_[i].counts[static_cast<std::size_t>(count)];
        all[minutes - 1 - static_cast<std::size_t>(age)] += after >= before ? after - before : after;
    }
    return all;
}

std::string bars(std::string_view caption, const std::vector<Series>& series) {
    constexpr unsigned width = 600, height = 160, left = 40, bottom = 20, top = 8;
    constexpr double step = (width - left) / double{Samples::minutes};
    constexpr std::string_view colours = "abcd";
    std::uint64_t highest = 4;
    for (std::size_t minute = 0; minute < Samples::minutes; ++minute) {
        std::uint64_t stack = 0;
        for (const Series& each : series) stack += each.values[minute];
        highest = std::max(highest, stack);
    }
    const double scale = (height - bottom - top) / static_cast<double>(highest);
    std::string key, drawn, words;
    for (std::size_t i = 0; i < series.size(); ++i) {
        key += fmt::format("<span><i class=\"{}\"></i>{}</span>", colours[i], escape(series[i].name));
        words += fmt::format("{}{} {} in the last minute", i == 0 ? "" : ", ", series[i].values.back(),
                             escape(series[i].name));
    }
    for (std::size_t minute = 0; minute < Samples::minutes; ++minute) {
        double base = height - bottom;
        for (std::size_t i = 0; i < series.size(); ++i) {
            const double size = static_cast<double>(series[i].values[minute]) * scale;
            if (size == 0) continue;
            base -= size;
            drawn += fmt::format(
                "<rect class=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\"/>",
                colours[i], left + static_cast<double>(minute) * step, base, step - 1, size);
        }
    }
    return fmt::format(
        "<figure><figcaption>{0}</figcaption><svg viewBox=\"0 0 {1} {2}\" role=\"img\" aria-label=\"{0}: "
        "{3}\"><line class=\"axis\" x1=\"{4}\" y1=\"{5}\" x2=\"{1}\" y2=\"{5}\"/><line class=\"axis\" "
        "x1=\"{4}\" y1=\"{6}\" x2=\"{1}\" y2=\"{6}\"/>{7}<text x=\"2\" y=\"{8}\">{9}</text><text x=\"2\" "
        "y=\"{5}\">0</text><text x=\"{4}\" y=\"{10}\">an hour ago</text><text x=\"{1}\" y=\"{10}\" "
        "text-anchor=\"end\">now</text></svg><div class=\"key\">{11}</div></figure>",
        escape(caption), width, height, words, left, height - bottom, top, drawn, top + 8, highest,
        height - 4, key);
}

}  // namespace relais::console
