// Messages that wait at a destination without a place in the window: their ids alone. A destination that may
// have room again is called, and its messages come back one by one, when its turn comes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <unordered_map>
#include <vector>

#include "queue/store.h"

namespace relais::send {

class Parking {
  public:
    // The number of a Destination.
    using Number = std::uint32_t;

    void add(Number destination, queue::MessageId id) { lots_[destination].waiting.push_back(id); }
    std::size_t count(Number destination) const;
    // All that wait there, in order.
    std::vector<queue::MessageId> at(Number destination) const;
    // Where any wait.
    std::vector<Number> destinations() const;
    void clear();

    // Its turn will come; it has one place in the line, however often it is called.
    void call(Number destination);
    // The destination whose turn it is.
    std::optional<Number> called() const;
    // The first that waits at the destination whose turn it is: it waits no longer.
    queue::MessageId take();
    // The turn of that destination is over.
    void end_turn();

  private:
    struct Lot {
        std::deque<queue::MessageId> waiting;
        bool called = false;
    };
    std::unordered_map<Number, Lot> lots_;  // none is empty, but for one that has been called
    std::deque<Number> called_;
};

}  // namespace relais::send
