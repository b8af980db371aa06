#include "base/event.h"

#include <fmt/core.h>

#include <algorithm>
#include <ctime>

#include "base/json.h"
#include "base/line_form.h"
#include "base/program.h"
#include "base/time.h"

namespace relais {
namespace {

constexpr std::size_t text_limit = 1000;
constexpr std::size_t list_limit = 100;

std::string_view shortened(std::string_view text) {
    return text.substr(0, text_limit);
}

Json json_of(std::uint64_t number) {
    return number;
}
Json json_of(std::string_view text) {
    return shortened(text);
}
Json json_of(Event::List list) {
    Json all = Json::array();
    for (const std::string& text : list.first(std::min(list.size(), list_limit)))
        all.push_back(shortened(text));
    return all;
}

std::string text_as_json(std::string_view program, std::string_view text) {
    return Event("text").with("text", text).json(program, now_microseconds());
}

}  // namespace

Event& Event::with(std::string_view name, std::uint64_t number) {
    add({name, number});
    return *this;
}

Event& Event::with(std::string_view name, std::string_view text) {
    if (!text.empty()) add({name, text});
    return *this;
}

Event& Event::with(std::string_view name, List list) {
    if (!list.empty()) add({name, list});
    return *this;
}

void Event::add(const Field& field) {
    if (count_ < most_fields) fields_[count_++] = field;
}

std::string Event::json(std::string_view program, std::uint64_t microseconds) const {
    Json line = {{"time", date_iso(microseconds)}, {"program", program}, {"event", name_}};
    for (const Field& field : fields())
        line[field.name] = std::visit([](const auto& value) { return json_of(value); }, field.value);
    return line.line();
}

void log_as_json(bool json) {
    set_line_form(json ? &text_as_json : nullptr);
}

bool logs_json() {
    return line_form() != nullptr;
}

void log_event(const Event& event) {
    if (event.classic().empty()) return;
    if (logs_json())
        log_raw_line(event.json(program_name(), now_microseconds()));
    else
        log_line(event.classic());
}

std::string log_text_of(const Event& event, std::string_view program) {
    return logs_json() ? event.json(program, now_microseconds()) : event.classic();
}

std::string date_iso(std::uint64_t microseconds) {
    const auto seconds = static_cast<std::time_t>(microseconds / 1'000'000);
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                       parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, microseconds % 1'000'000);
}

}  // namespace relais
