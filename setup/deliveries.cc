#include "setup/deliveries.h"

#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "control/tool.h"
#include "queue/store.h"
#include "send/control_protocol.h"
#include "setup/holders.h"

namespace relais::setup {
namespace {

constexpr Seconds patience{2};
constexpr std::size_t processes_shown = 10;
// The words of qmail-send's answer to "running".
constexpr std::string_view ending = "qmail-send is ending";
constexpr std::string_view old_mark = "from before the last restart";

bool is_delivery(const std::string& process) {
    return (process.starts_with("qmail-local ") || process.starts_with("qmail-remote ")) &&
           process.find(" idle ") == std::string::npos;
}

bool asked(const Plan& plan, Deliveries& found) {
    try {
        const Deadline deadline = Deadline::in(patience);
        const send::ControlAnswer answer =
            send::ControlClient(plan.home, deadline).ask({send::ControlVerb::running, 0}, deadline);
        if (!answer.ok) return false;  // of a version that has no such words
        found.sender = Deliveries::Sender::delivers;
        for (const std::string_view line : split(answer.text, '\n'))
            if (line.starts_with(ending))
                found.sender = Deliveries::Sender::ends;
            else if (!line.empty())
                found.lines.emplace_back(line);
        return true;
    } catch (const Error& error) {
        if (control::is_refusal(error.number())) found.sender = Deliveries::Sender::unseen;
        return found.sender == Deliveries::Sender::unseen;
    }
}

}  // namespace

std::vector<std::string> Deliveries::old() const {
    std::vector<std::string> found;
    for (const std::string& line : lines)
        if (line.find(old_mark) != std::string::npos) found.push_back(line);
    return found;
}

Deliveries deliveries(const Plan& plan) {
    Deliveries found;
    const std::string lock = queue::send_lock_path(plan.home);
    if (asked(plan, found) || !is_held(lock)) return found;
    found.sender = Deliveries::Sender::waits;
    for (const pid_t pid : holders_of_file(lock)) found.lines.push_back(command_text(pid));
    // The deliveries are what the others wait for.
    const auto others = std::stable_partition(found.lines.begin(), found.lines.end(), is_delivery);
    if (others != found.lines.begin()) found.lines.erase(others, found.lines.end());
    if (found.lines.size() > processes_shown) {
        const std::size_t more = found.lines.size() - processes_shown;
        found.lines.resize(processes_shown);
        found.lines.push_back("and " + std::to_string(more) + " more");
    }
    return found;
}

std::string indented(const std::vector<std::string>& lines) {
    std::string text;
    for (const std::string& line : lines) text += "\n       " + line;
    return text;
}

}  // namespace relais::setup
