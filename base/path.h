// Names of files.
#pragma once

#include <string>

namespace relais {

// The directory of a file by its path: "." for a name alone, "/" for what lies in it.
inline std::string directory_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace relais
