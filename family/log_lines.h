// A stream of log lines, cut into what syslog takes.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace relais::family {

// The longest part of a line that one entry holds, in octets; what follows goes into further entries.
inline constexpr std::size_t syslog_text_limit = 800;

class LogLines {
  public:
    // emit: one entry with its priority (LOG_ALERT, LOG_WARNING or LOG_INFO of syslog.h). stamp: the time of
    // a line, asked at its first entry.
    LogLines(std::function<void(int priority, const std::string& text)> emit,
             std::function<std::string()> stamp)
        : emit_(std::move(emit)), stamp_(std::move(stamp)) {}

    // The next octets. Unprintable ones become question marks; empty lines are dropped.
    void add(std::string_view data);
    // The stream has ended: what there is of the last line.
    void finish();

  private:
    void flush();

    std::function<void(int, const std::string&)> emit_;
    std::function<std::string()> stamp_;
    std::string text_;
    std::string line_stamp_;
    int priority_ = 0;
    bool continued_ = false;
};

}  // namespace relais::family
