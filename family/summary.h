// What is in a mailbox, a line for each message.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace relais::family {

// The files of DIR/new, and of DIR/cur when asked, oldest first by their names. Throws Error.
std::vector<std::string> maildir_files(const std::string& directory, bool with_read_ones);

// The From and Subject fields of a message as a line for a terminal, at most 79 columns wide, without a line
// end. header: the message, or its first part.
std::string summary_line(std::string_view header);

// The first part of a file, at most 64 KiB; empty if it has vanished. Throws Error.
std::string beginning_of(const std::string& path);

}  // namespace relais::family
