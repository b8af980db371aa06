// Something that happened, told once: a name, its fields, and the line that qmail's log has for it. From one
// event come that line, a line of JSON (control/logformat) and what qmail-trace remembers.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace relais {

class Event {
  public:
    using List = std::span<const std::string>;
    struct Field {
        std::string_view name;
        std::variant<std::uint64_t, std::string_view, List> value;
    };
    static constexpr std::size_t most_fields = 16;

    // classic: the line without its end; "" if the log of the family knows none. Names are of the program.
    explicit Event(std::string_view name, std::string classic = "")
        : name_(name), classic_(std::move(classic)) {}

    // What a field views must outlive the event. An empty text or list is left out; so is what is too much.
    Event& with(std::string_view name, std::uint64_t number);
    Event& with(std::string_view name, std::string_view text);
    Event& with(std::string_view name, List list);

    // When it happened, where that was said to somebody already: microseconds since 1970. 0: now.
    Event& at(std::uint64_t microseconds) {
        time_ = microseconds;
        return *this;
    }
    std::uint64_t time() const { return time_; }

    std::string_view name() const { return name_; }
    const std::string& classic() const { return classic_; }
    std::span<const Field> fields() const { return {fields_, count_}; }
    // {"time":"2026-11-30T13:00:00.123456Z","program":...,"event":...} and the fields; one line, without its
    // end. A text has 1000 octets at most, a list 100 texts; what is no UTF-8 is U+FFFD.
    std::string json(std::string_view program, std::uint64_t microseconds) const;

  private:
    void add(const Field& field);

    std::string_view name_;
    std::string classic_;
    Field fields_[most_fields];
    std::size_t count_ = 0;
    std::uint64_t time_ = 0;
};

// From now on log_line and log_event write JSON, a line that is no event as {"event":"text","text":...}.
void log_as_json(bool json);
bool logs_json();
// Writes the event to the log, with the program's name before a classic line. What has none is not written.
void log_event(const Event& event);
// The line of log_event for a program whose classic lines have no name before them.
std::string log_text_of(const Event& event, std::string_view program);

// "2026-11-30T13:00:00.123456Z"
std::string date_iso(std::uint64_t microseconds);

}  // namespace relais
