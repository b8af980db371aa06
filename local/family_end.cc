#include "local/family_end.h"

#include <signal.h>

#include <string>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"

namespace relais::local {
namespace {

constexpr std::size_t list_limit = std::size_t{1} << 20;
constexpr int deepest = 50;

std::string children_of(pid_t pid) {
    const std::string number = std::to_string(pid);
    try {
        return read_file("/proc/" + number + "/task/" + number + "/children", list_limit).value_or("");
    } catch (const Error&) {
        return "";  // it has gone
    }
}

// Stopped, it neither starts another child nor waits for one: a number stays that child's.
void kill_below(pid_t pid, int depth) {
    ::kill(pid, SIGSTOP);
    const std::string children = depth < deepest ? children_of(pid) : "";
    for (const std::string_view word : split(trim(children), ' '))
        if (const auto child = parse_number(word); child && *child > 1)
            kill_below(static_cast<pid_t>(*child), depth + 1);
    ::kill(pid, SIGKILL);
}

}  // namespace

void kill_family(pid_t child) {
    kill_below(child, 0);
}

}  // namespace relais::local
