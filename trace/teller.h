// Tells messages' lives, line by line, with what came out of each below it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "trace/life.h"

namespace relais::trace {

class Teller {
  public:
    struct Form {
        bool json = false;            // a line of JSON for each message
        bool evidence_alone = false;  // only why something was refused, or might have been
    };
    using Print = std::function<void(const std::string& line)>;
    Teller(Form form, Print print) : form_(form), print_(std::move(print)) {}

    // False if nothing is known of it. What has been told is not told again, so that a reader may go on.
    bool tell(Archive& archive, std::uint64_t id);

  private:
    bool tell(Archive& archive, std::uint64_t id, unsigned depth);
    void print_text(std::uint64_t id, unsigned depth, const std::vector<Record>& fresh, bool headed);
    void print_json(std::uint64_t id, unsigned depth, const std::vector<Record>& fresh);

    Form form_;
    Print print_;
    std::map<std::uint64_t, std::uint64_t> told_;  // up to which time
    std::map<std::uint64_t, unsigned> reached_;    // at which depth, from the message that was asked for
};

}  // namespace relais::trace
