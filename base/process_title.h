// What ps(1) and killall(1) show of a process: for children that are forked without exec and take another
// program's name and arguments.
#pragma once

#include <string_view>
#include <vector>

namespace relais {

// Remembers the memory in which the kernel keeps the arguments and the environment, and moves the environment
// away from it. run_program does it, before anything keeps a pointer from getenv.
void remember_title_area(int argc, char** argv);

// The short name (comm) only, as far as the kernel keeps it: 15 octets.
void set_process_name(std::string_view name);

// Shows this process as "NAME ARGUMENT..." from now on; its short name (comm) becomes NAME, of which the
// kernel keeps 15 octets. The line is cut to the room that the arguments and the environment had at the
// start. Control characters are shown as '?'. Does nothing if remember_title_area was not called.
void set_process_title(std::string_view name, const std::vector<std::string_view>& arguments = {});

// Whether others may read addresses, of mail or of clients, in the titles of this process and its future
// children. They may until somebody says otherwise.
void show_addresses_in_titles(bool shown);

// The same for arguments that are addresses: "NAME busy" where they are not shown.
void set_process_title_with_addresses(std::string_view name, const std::vector<std::string_view>& addresses);

}  // namespace relais
