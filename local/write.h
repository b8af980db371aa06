// Writing to regular files through sys::, for mailboxes: they have no deadline, and a power cut is tested.
#pragma once

#include <string_view>

namespace relais::local {

// Writes everything. False with errno set if the file system refuses; part of it may have been written then.
bool write_fully(int fd, std::string_view data);
// Both in one call, if the file system takes them.
bool write_two(int fd, std::string_view first, std::string_view second);

}  // namespace relais::local
