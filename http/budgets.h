// How many requests of each client are served. Pure, but for the time that it is told.
#pragma once

#include <cstddef>
#include <list>
#include <string>
#include <unordered_map>

#include "base/deadline.h"

namespace relais::http {

class Budgets {
  public:
    // Of each client so many in a second, with twice as many at once. At most `limit` clients are kept; a
    // further one takes the place of who has been quiet for longest, who is a new one again when he returns:
    // who fills the table takes nothing from those who come.
    explicit Budgets(unsigned per_second, std::size_t limit = 4096)
        : per_second_(per_second), limit_(limit) {}

    // Whether one more request of that client is served.
    bool take(const std::string& client, Clock::time_point now);
    std::size_t size() const { return order_.size(); }

  private:
    struct Bucket {
        std::string client;
        double tokens;
        Clock::time_point counted;
    };

    double per_second_;
    std::size_t limit_;
    std::list<Bucket> order_;  // the quietest first
    std::unordered_map<std::string, std::list<Bucket>::iterator> places_;
};

}  // namespace relais::http
