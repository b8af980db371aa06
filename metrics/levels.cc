#include "metrics/levels.h"

namespace relais::metrics {

std::uint64_t sum(const Pages& pages, std::string_view key, std::string_view value) {
    for (const Metric& metric : table) {
        if (metric.key != key) continue;
        const auto page = pages.find(metric.role);
        if (page == pages.end()) return 0;
        if (!value.empty()) return page->second[metric.slot + slot_of_value(metric, value)];
        std::uint64_t all = 0;
        for (std::size_t i = 0; i < count_of_values(metric); ++i) all += page->second[metric.slot + i];
        return all;
    }
    return 0;
}

Sample sample_of(const Pages& pages, Clock::time_point now) {
    return {
        now,
        {sum(pages, "queue.taken"), sum(pages, "send.success", "local"), sum(pages, "send.success", "remote"),
         sum(pages, "send.deferral"), sum(pages, "send.failure"), sum(pages, "smtp.refused")}};
}

Levels levels_of(const Pages& pages) {
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

std::uint64_t growth(const Sample& before, const Sample& after, Count count) {
    const std::uint64_t old = before.counts[static_cast<std::size_t>(count)];
    const std::uint64_t now = after.counts[static_cast<std::size_t>(count)];
    return now >= old ? now - old : now;
}

}  // namespace relais::metrics
