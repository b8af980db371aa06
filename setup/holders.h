// Who holds a lock or a port, as /proc tells: looking takes no lock and opens no connection.
#pragma once

#include <sys/types.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace relais::setup {

// True if somebody holds the file by flock. Throws Error if it cannot be looked at; a file that is missing is
// free.
bool is_held(const std::string& lock);

// True if a process of that name descends from this one.
bool runs_below(pid_t ancestor, const std::string& name);

// True if a process holds open a file that once had that path and has been removed.
bool is_open_though_removed(const std::string& path);

// The sockets that listen on this port, where a server at this address would meet them ("0": whatever their
// address): inode, and the uid that made it.
std::map<ino_t, uid_t> listeners(unsigned port, const std::string& address = "0");

// How many connections each address has to this port.
std::map<std::string, std::size_t> clients(unsigned port);

// The processes that have one of these sockets open, as far as we may see.
std::vector<pid_t> holders(const std::map<ino_t, uid_t>& sockets);

// The processes that have this file open, as far as we may see.
std::vector<pid_t> holders_of_file(const std::string& path);

// True if the process was started for that instance: by QMAILHOME in its environment. Nothing if that cannot
// be seen.
std::optional<bool> is_of_instance(pid_t pid, const std::string& home);

// True if pid is ancestor, or was started by it or by what it has started.
bool descends(pid_t pid, pid_t ancestor);

// What ps(1) shows of it, cut, and safe for a terminal: "qmail-remote example.org a@b c@example.org (pid
// 812)".
std::string command_text(pid_t pid);
// "exim4 (pid 812)"
std::string process_text(pid_t pid);

}  // namespace relais::setup
