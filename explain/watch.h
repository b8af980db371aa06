// Live refusals from the log of qmail-smtpd, each explained in a line: relay-explain --watch.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/deadline.h"
#include "control/home.h"

namespace relais::explain {

// What a "refuse" line of the log says (smtpd/log.h).
struct LoggedRefusal {
    std::int64_t time = 0;  // seconds since 1970 from multilog's stamp; 0: the line has none
    std::string ip;
    std::string helo;                      // "" if there was none
    std::optional<std::string> sender;     // nothing before MAIL
    std::optional<std::string> recipient;  // nothing where no recipient was refused
    std::string reason;                    // the reply, and why
};
// Nothing for every other line. Pure.
std::optional<LoggedRefusal> parse_refusal(std::string_view line);

// Explains the refusals of a log, of which there may be a flood.
class Watch {
  public:
    explicit Watch(control::Home home) : home_(std::move(home)) {}
    // The refusal, what is behind it, and what can be done, in one line with its LF. What cannot be read is
    // said in it.
    std::string explain(const LoggedRefusal& refusal);

  private:
    std::string what_is_behind(const LoggedRefusal& refusal, const std::string& ip);

    control::Home home_;
    // The look through all logins takes a tenth of the time at most.
    Clock::time_point next_search_;
};

// Calls line for each line of a log: "-" is standard input up to its end; a directory means the file current
// in it, a file itself, both from their end on, without an end, also when multilog puts a new file in its
// place. Throws Error.
void follow(const std::string& path, const std::function<void(std::string_view line)>& line);

}  // namespace relais::explain
