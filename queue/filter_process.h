// The process of a filter (filter.h): a child of this one, or one that the runner of filters has started for
// it.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>

#include "base/fd.h"

namespace relais::queue {

// Its ends of the three pipes.
struct FilterEnds {
    int message;
    int envelope;
    int text;
};

class FilterProcess {
  public:
    virtual ~FilterProcess() = default;
    virtual pid_t pid() const = 0;
    // Can be read once it has ended.
    virtual int end() const = 0;
    // As wait(2) has it; after end(). Throws Error.
    virtual int status() = 0;
    // Kills it and waits for its end.
    virtual void kill() noexcept = 0;
};

// In the place of this process: never returns. home: its directory.
[[noreturn]] void execute_filter(const std::string& home, const std::string& program,
                                 const std::string& extension, const FilterEnds& ends);

// Throw Error.
std::unique_ptr<FilterProcess> fork_filter(const std::string& home, const std::string& program,
                                           const std::string& extension, const FilterEnds& ends);
std::unique_ptr<FilterProcess> ask_for_filter(int runner, const std::string& extension,
                                              const FilterEnds& ends);

}  // namespace relais::queue
