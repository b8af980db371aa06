// What ends a delivery when qmail-rspawn has retired or died, or when somebody cuts it off by hand. Who
// delivers reads nothing from his channel, so a timer looks whether that still gives orders. Before the final
// dot the delivery is cut off: the server must forget the message, which is given back. After it the answer
// has a minute.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

namespace relais::remote {

// What the report of a delivery says whose server let it pass ("within a minute").
inline constexpr std::chrono::minutes answer_patience(1);

class Interruption {
  public:
    // Watches while it lives; one at a time. It ends the process, having reported. patience: what the answer
    // to the final dot has, counted from the end of the channel. Throws Error.
    Interruption(int channel, std::uint64_t delivery, std::size_t recipients,
                 std::chrono::milliseconds patience = answer_patience);
    ~Interruption();
    Interruption(const Interruption&) = delete;
    Interruption& operator=(const Interruption&) = delete;

    // To be called before the final dot is written: the server may take the message from now on.
    static void point_of_no_return();

  private:
    std::string given_back_;
    std::string no_answer_;
};

}  // namespace relais::remote
