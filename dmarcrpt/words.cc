#include "dmarcrpt/words.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <map>

#include "base/columns.h"
#include "base/event.h"
#include "base/json.h"
#include "base/printable.h"
#include "base/text.h"

namespace relais::dmarcrpt {
namespace {

// A column of the table, and how wide what others write may make it.
struct Column {
    const char* title;
    unsigned limit;
    bool number = false;
};
constexpr unsigned number_width = 20;
constexpr unsigned day_width = 10;
constexpr unsigned address_width = 39;
constexpr Column columns[] = {{"domain", 32},
                              {"address", address_width},
                              {"messages", number_width, true},
                              {"pass", number_width, true},
                              {"DKIM", number_width, true},
                              {"SPF", number_width, true},
                              {"stopped", number_width, true},
                              {"from", day_width},
                              {"to", day_width},
                              {"reporters", 32},
                              {"whose", 40}};
using Line = std::array<std::string, std::size(columns)>;

std::string shown(const std::string& text) {
    return text.empty() ? "?" : printable(text);
}

// "2026-11-29 00:00"
std::string time_of(std::uint64_t seconds) {
    if (seconds == 0) return "?";
    constexpr std::uint64_t last = 253'402'300'799;  // of the year 9999
    std::string text = date_iso(std::min(seconds, last) * 1'000'000).substr(0, 16);
    text[10] = ' ';
    return text;
}

void add_name(std::vector<std::string>& names, std::string name) {
    if (name.empty() || names.size() >= names_limit) return;
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(std::move(name));
}

void add_names(Source& source, const std::vector<AuthResult>& results) {
    for (const AuthResult& result : results)
        if (result.result == "pass") add_name(source.names, lower(result.domain));
}

std::string joined(const std::vector<std::string>& names) {
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? "" : ", ") + printable(name);
    return text.empty() ? "-" : text;
}

Line line_of(const Source& source) {
    return {shown(source.domain),
            shown(source.ip),
            std::to_string(source.messages),
            std::to_string(source.passed),
            std::to_string(source.dkim),
            std::to_string(source.spf),
            std::to_string(source.stopped),
            time_of(source.begin).substr(0, day_width),
            time_of(source.end).substr(0, day_width),
            joined(source.reporters),
            joined(source.names)};
}

std::string in_width(const std::string& text, unsigned width, bool number) {
    const unsigned needed = columns_of(text);
    if (needed > width) return fit(text, width - 1) + "…";
    return number ? std::string(width - needed, ' ') + text : fit(text, width);
}

std::string table_of(const std::vector<Source>& sources) {
    std::vector<Line> lines(1);
    for (std::size_t i = 0; i < std::size(columns); ++i) lines[0][i] = columns[i].title;
    for (const Source& source : sources) lines.push_back(line_of(source));
    std::array<unsigned, std::size(columns)> widths{};
    for (const Line& line : lines)
        for (std::size_t i = 0; i < line.size(); ++i)
            widths[i] = std::min(columns[i].limit, std::max(widths[i], columns_of(line[i])));
    std::string text;
    for (const Line& line : lines) {
        std::string cells;
        for (std::size_t i = 0; i < line.size(); ++i)
            cells += in_width(line[i], widths[i], columns[i].number) + "  ";
        text += cells.substr(0, cells.find_last_not_of(' ') + 1) + "\n";
    }
    return text;
}

void add_row(Source& source, const Row& row) {
    source.messages += row.count;
    source.passed += row.passes() ? row.count : 0;
    source.dkim += row.dkim == "pass" ? row.count : 0;
    source.spf += row.spf == "pass" ? row.count : 0;
    source.stopped += row.disposition == "reject" || row.disposition == "quarantine" ? row.count : 0;
    add_names(source, row.dkim_results);
    add_names(source, row.spf_results);
}

Json json_of_results(const std::vector<AuthResult>& results, const char* detail) {
    Json list = Json::array();
    for (const AuthResult& result : results)
        list.push_back({{"domain", result.domain}, {detail, result.detail}, {"result", result.result}});
    return list;
}

Json json_of_row(const Row& row) {
    Json object = {{"ip", row.ip},
                   {"count", row.count},
                   {"disposition", row.disposition},
                   {"dkim", row.dkim},
                   {"spf", row.spf},
                   {"header_from", row.header_from},
                   {"envelope_from", row.envelope_from},
                   {"envelope_to", row.envelope_to}};
    object["reasons"] = Json::array();
    for (const auto& [type, comment] : row.reasons)
        object["reasons"].push_back({{"type", type}, {"comment", comment}});
    object["dkim_results"] = json_of_results(row.dkim_results, "selector");
    object["spf_results"] = json_of_results(row.spf_results, "scope");
    return object;
}

Json json_of_head(const Report& report) {
    return {{"organization", report.organization},
            {"contact", report.contact},
            {"id", report.id},
            {"begin", report.begin},
            {"end", report.end},
            {"domain", report.domain},
            {"p", report.p},
            {"messages", report.messages()},
            {"passed", report.passed()},
            {"errors", report.errors}};
}

Json json_of_source(const Source& source) {
    return {{"domain", source.domain},       {"ip", source.ip},       {"messages", source.messages},
            {"passed", source.passed},       {"dkim", source.dkim},   {"spf", source.spf},
            {"stopped", source.stopped},     {"begin", source.begin}, {"end", source.end},
            {"reporters", source.reporters}, {"whose", source.names}};
}

}  // namespace

std::vector<Source> sources_of(const std::vector<Report>& reports) {
    std::map<std::pair<std::string, std::string>, Source> found;
    for (const Report& report : reports) {
        for (const Row& row : report.rows) {
            const std::string domain = lower(row.header_from.empty() ? report.domain : row.header_from);
            Source& source = found[{domain, row.ip}];
            source.domain = domain;
            source.ip = row.ip;
            add_row(source, row);
            add_name(source.reporters, report.organization.empty() ? report.contact : report.organization);
            if (report.begin != 0 && (source.begin == 0 || report.begin < source.begin))
                source.begin = report.begin;
            source.end = std::max(source.end, report.end);
        }
    }
    std::vector<Source> sources;
    for (auto& [key, source] : found) sources.push_back(std::move(source));
    std::stable_sort(sources.begin(), sources.end(), [](const Source& a, const Source& b) {
        return std::pair(a.messages - a.passed, a.messages) > std::pair(b.messages - b.passed, b.messages);
    });
    return sources;
}

std::string text_of(const std::vector<Report>& reports) {
    std::string text;
    for (const Report& report : reports) {
        text += fmt::format("{} ({}), {} to {}, {}: {} (p={}), {} messages, {} pass\n",
                            shown(report.organization), shown(report.contact), time_of(report.begin),
                            time_of(report.end), shown(report.id), shown(report.domain), shown(report.p),
                            report.messages(), report.passed());
        for (const std::string& error : report.errors) text += "    they say: " + printable(error) + "\n";
    }
    const auto sources = sources_of(reports);
    return sources.empty() ? text : text + "\n" + table_of(sources);
}

std::string json_of(const std::vector<Report>& reports) {
    // A row at a time, for a tree of a hundred thousand takes a gigabyte.
    std::string text = "{\"reports\":[";
    for (const Report& report : reports) {
        text += &report == &reports.front() ? "\n" : ",\n";
        std::string head = json_of_head(report).line();
        head.pop_back();
        text += head + ",\"rows\":[";
        for (const Row& row : report.rows)
            text += (&row == &report.rows.front() ? "\n" : ",\n") + json_of_row(row).line();
        text += "]}";
    }
    text += "],\n\"sources\":[";
    const auto sources = sources_of(reports);
    for (const Source& source : sources)
        text += (&source == &sources.front() ? "\n" : ",\n") + json_of_source(source).line();
    return text + "]}\n";
}

}  // namespace relais::dmarcrpt
