// Whole small files.
#pragma once

#include <sys/types.h>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace relais {

// The content of a file of at most limit octets; nothing if there is no such file. Throws Error for
// everything else.
std::optional<std::string> read_file(const std::string& path, std::size_t limit);

// Replaces path by a file with this content and mode: written beside it, synced, renamed, directory synced.
// Readers see the old content or the new, also after a power cut. Throws Error and leaves the old one.
// prepare, if there is one, gets the descriptor of the new file before that has its name: it may set the
// owner.
void replace_file(const std::string& path, std::string_view content, mode_t mode,
                  const std::function<void(int fd)>& prepare = nullptr);

// True if the path, through links too, leads to this open file: another writer may have renamed something
// else to it while its lock was waited for.
bool is_named(int fd, const std::string& path);

// Syncs a directory, so that names created in it last. Throws Error.
void sync_directory(const std::string& path);

}  // namespace relais
