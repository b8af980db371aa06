#include "console/samples.h"

#include <fmt/core.h>

#include <algorithm>

#include "console/html.h"

namespace relais::console {
namespace {

constexpr std::size_t most_samples = 3600 / Samples::between.count() + 24;

}  // namespace

Samples::Samples(EventLoop& loop, control::Home home) : loop_(loop), home_(std::move(home)) {
    look();
}

void Samples::look() {
    const metrics::Pages pages = metrics::read_pages(home_);
    levels_ = metrics::levels_of(pages);
    samples_.push_back(metrics::sample_of(pages, Clock::now()));
    if (samples_.size() > most_samples) samples_.pop_front();
    loop_.after(between, [this] { look(); });
}

std::array<std::uint64_t, Samples::minutes> Samples::per_minute(Count count) const {
    std::array<std::uint64_t, minutes> all{};
    const auto now = Clock::now();
    for (std::size_t i = 1; i < samples_.size(); ++i) {
        const auto age = std::chrono::duration_cast<std::chrono::minutes>(now - samples_[i].time).count();
        if (age < 0 || static_cast<std::size_t>(age) >= minutes) continue;
        all[minutes - 1 - static_cast<std::size_t>(age)] +=
            metrics::growth(samples_[i - 1], samples_[i], count);
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
