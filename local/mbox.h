// Delivery into a file in mbox format.
#pragma once

#include <string>
#include <string_view>

#include "local/message.h"

namespace relais::local {

// Appends to the file at path, which is made if there is none: from_line, head, the message with every line
// that begins like a From_ line quoted by '>', and an empty line; then syncs it and its directory. What
// stands at the file's end without an empty line gets one first. The file is locked meanwhile (flock, and
// fcntl for readers that use that); a lock that others hold for 30 seconds is an error. A file that was
// replaced while its lock was waited for is opened anew. Throws a temporary Error in qmail's words, and cuts
// the file back to what it was, where locks work.
void deliver_to_mbox(const std::string& path, std::string_view from_line, std::string_view head,
                     const Message& message);

// Copies a message that comes in pieces, putting '>' before lines that begin with "From ", or '>'s and "From
// ".
class FromQuoter {
  public:
    // The quoted form of the piece goes behind out.
    void feed(std::string_view piece, std::string& out);
    // Ends the message: its last line gets a line end if it has none.
    void finish(std::string& out);

  private:
    bool begins_line(std::string_view piece, std::string& out);

    std::string start_;  // the first octets of a line while it is open whether it is a From_ line
    bool at_start_ = true;
};

}  // namespace relais::local
