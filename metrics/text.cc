#include "metrics/text.h"

#include <fmt/core.h>

#include "base/text.h"

namespace relais::metrics {
namespace {

std::string_view type_word(Kind kind) {
    switch (kind) {
        case Kind::counter:
            return "counter";
        case Kind::gauge:
            return "gauge";
        case Kind::histogram:
            break;
    }
    return "histogram";
}

// In the unit that is shown: milliseconds as seconds, without a loss.
std::string number(const Metric& metric, std::uint64_t value) {
    if (metric.unit != Unit::milliseconds) return std::to_string(value);
    std::string text = fmt::format("{}.{:03}", value / 1000, value % 1000);
    while (text.ends_with('0')) text.pop_back();
    if (text.ends_with('.')) text.pop_back();
    return text;
}

// {a="b",c="d"}; pairs may be empty.
std::string labels(std::string_view first, std::string_view second) {
    if (first.empty() && second.empty()) return "";
    return fmt::format("{{{}{}{}}}", first, first.empty() || second.empty() ? "" : ",", second);
}

std::string pair_of(std::string_view name, std::string_view value) {
    return fmt::format("{}=\"{}\"", name, value);
}

std::string_view without_total(std::string_view name) {
    constexpr std::string_view total = "_total";
    if (name.ends_with(total)) name.remove_suffix(total.size());
    return name;
}

void add_head(std::string& text, const Metric& metric, Form form) {
    const std::string_view name = form == Form::openmetrics ? without_total(metric.name) : metric.name;
    text += fmt::format("# HELP {} {}.\n# TYPE {} {}\n", name, metric.help, name, type_word(metric.kind));
}

void add_histogram(std::string& text, const Metric& metric, const Page& page) {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i <= metric.bounds.size(); ++i) {
        sum += page[metric.slot + i];
        const std::string bound =
            i < metric.bounds.size() ? number(metric, metric.bounds[i]) : std::string("+Inf");
        text += fmt::format("{}_bucket{} {}\n", metric.name, labels(metric.fixed, pair_of("le", bound)), sum);
    }
    text += fmt::format("{}_sum{} {}\n", metric.name, labels(metric.fixed, ""),
                        number(metric, page[metric.slot + metric.bounds.size() + 1]));
    text += fmt::format("{}_count{} {}\n", metric.name, labels(metric.fixed, ""), sum);
}

void add_values(std::string& text, const Metric& metric, const Page& page) {
    std::size_t slot = metric.slot;
    for (const std::string_view value : split(metric.values, ' '))
        text += fmt::format(
            "{}{} {}\n", metric.name,
            labels(metric.fixed, metric.label.empty() ? std::string() : pair_of(metric.label, value)),
            number(metric, page[slot++]));
}

}  // namespace

std::string_view content_type(Form form) {
    return form == Form::openmetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                     : "text/plain; version=0.0.4; charset=utf-8";
}

std::string show(const Pages& pages, Form form) {
    std::string text;
    std::string_view last;
    for (const Metric& metric : table) {
        const auto page = pages.find(metric.role);
        if (page == pages.end()) continue;
        if (metric.name != last) add_head(text, metric, form);
        last = metric.name;
        if (metric.kind == Kind::histogram)
            add_histogram(text, metric, page->second);
        else
            add_values(text, metric, page->second);
    }
    if (form == Form::openmetrics) text += "# EOF\n";
    return text;
}

std::string manual_list() {
    std::string text;
    std::string_view last;
    for (const Metric& metric : table) {
        if (metric.name == last) continue;
        last = metric.name;
        std::string names(metric.fixed.substr(0, metric.fixed.find('=')));
        if (!metric.label.empty()) names += (names.empty() ? "" : ", ") + std::string(metric.label);
        text += fmt::format(".It Li {}{}\n{}.\n", metric.name, names.empty() ? "" : " { " + names + " }",
                            metric.help);
    }
    return text;
}

}  // namespace relais::metrics
