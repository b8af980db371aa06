// Logins that wait for their turn. A login may have to pass several budgets, and each lets so many be looked
// at together: it takes one after the other, always in the same order, keeps those that it has, and gives all
// back when it has been answered. So nobody waits for somebody who waits for him.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

namespace relais::auth {

// Whose failures are counted together. The order is that in which logins pass.
enum class Budget : unsigned char {
    pair,     // an account from one network
    network,  // all accounts from one network
    site,     // all accounts from one IPv6 /48
    account,  // one account from all networks that it is not familiar with
};
inline constexpr std::size_t budget_count = 4;

struct Line {
    Budget budget;
    std::string name;
    auto operator<=>(const Line&) const = default;
};

class Lines {
  public:
    using Id = std::uint64_t;
    // How many logins of a line may be looked at together now: 1 at least.
    using AtOnce = std::function<unsigned(const Line&)>;
    struct Limits {
        std::size_t of_line = 64;  // logins that wait in one line
        std::size_t of_all = 500;  // and in all
    };

    Lines(AtOnce at_once, Limits limits) : at_once_(std::move(at_once)), limits_(limits) {}

    enum class Place { free, waits, full };
    // lines in the order of Budget, none twice. full: the login has no place and need not leave.
    Place enter(Id id, std::vector<Line> lines);
    bool waits(Id id) const;
    // The login has its answer, or waits no more. Returns whose turn it is now. Does nothing for one that has
    // no place.
    std::vector<Id> leave(Id id);

    std::size_t waiting() const { return waiting_; }
    std::size_t size() const { return queues_.size(); }

  private:
    struct Queue {
        unsigned inside = 0;
        std::deque<Id> waiting;
    };
    struct Login {
        std::vector<Line> lines;
        std::size_t passed = 0;  // of them
        bool waits = false;
    };
    bool advance(Id id, Login& login);
    bool is_full(const std::vector<Line>& lines) const;
    bool lets_in(const Line& line, const Queue& queue) const { return queue.inside < at_once_(line); }

    AtOnce at_once_;
    Limits limits_;
    std::map<Line, Queue> queues_;
    std::unordered_map<Id, Login> logins_;
    std::size_t waiting_ = 0;
};

}  // namespace relais::auth
