#include "auth/lines.h"

#include <algorithm>
#include <utility>

namespace relais::auth {

// Somebody waits in it already, or would have to.
bool Lines::is_full(const std::vector<Line>& lines) const {
    for (const Line& line : lines) {
        const auto found = queues_.find(line);
        if (found == queues_.end() || (found->second.waiting.empty() && lets_in(line, found->second)))
            continue;
        if (waiting_ >= limits_.of_all || found->second.waiting.size() >= limits_.of_line) return true;
    }
    return false;
}

Lines::Place Lines::enter(Id id, std::vector<Line> lines) {
    if (is_full(lines)) return Place::full;
    Login& login = logins_[id];
    login.lines = std::move(lines);
    return advance(id, login) ? Place::free : Place::waits;
}

bool Lines::waits(Id id) const {
    const auto found = logins_.find(id);
    return found != logins_.end() && found->second.waits;
}

// True if it has passed all. Who comes to a line in which others wait waits behind them.
bool Lines::advance(Id id, Login& login) {
    for (; login.passed < login.lines.size(); ++login.passed) {
        const Line& line = login.lines[login.passed];
        Queue& queue = queues_[line];
        if (queue.waiting.empty() && lets_in(line, queue)) {
            ++queue.inside;
            continue;
        }
        queue.waiting.push_back(id);
        login.waits = true;
        ++waiting_;
        return false;
    }
    return true;
}

std::vector<Lines::Id> Lines::leave(Id id) {
    std::vector<Id> free;
    auto node = logins_.extract(id);
    if (node.empty()) return free;
    const Login& gone = node.mapped();
    if (gone.waits) {
        std::erase(queues_.at(gone.lines[gone.passed]).waiting, id);
        --waiting_;
    }
    for (std::size_t i = 0; i < gone.passed; ++i) --queues_.at(gone.lines[i]).inside;
    // Those who are let in go on to lines behind this one, never to one before it.
    for (std::size_t i = 0; i < gone.passed + (gone.waits ? 1 : 0); ++i) {
        const Line& line = gone.lines[i];
        Queue& queue = queues_.at(line);
        while (!queue.waiting.empty() && lets_in(line, queue)) {
            const Id next = queue.waiting.front();
            queue.waiting.pop_front();
            --waiting_;
            ++queue.inside;
            Login& login = logins_.at(next);
            login.waits = false;
            ++login.passed;
            if (advance(next, login)) free.push_back(next);
        }
    }
    for (const Line& line : gone.lines) {
        const auto found = queues_.find(line);
        if (found != queues_.end() && found->second.inside == 0 && found->second.waiting.empty())
            queues_.erase(found);
    }
    return free;
}

}  // namespace relais::auth
