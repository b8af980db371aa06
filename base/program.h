// What every program's main does around its work.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace relais {

// Exit codes that the whole qmail family shares.
enum class Exit : int {
    success = 0,
    permanent = 100,  // wrong usage or wrong input: trying again does not help
    temporary = 111,  // try again later
};

using Arguments = std::vector<std::string>;

// Runs work with the arguments (without the program's name); ignores SIGPIPE. An Error that escapes is
// written to standard error as "NAME: fatal: TEXT" and becomes exit code 100 (permanent) or 111 (everything
// else).
int run_program(std::string_view name, int argc, char** argv,
                const std::function<int(const Arguments&)>& work);

// Writes "NAME: TEXT" and a line end to standard error in one write. NAME is what run_program was given.
void log_line(std::string_view text);
// The same without the name in front: for lines whose form others parse.
void log_raw_line(std::string_view text);

// An environment variable, or the default if it is not set. An empty value is a value.
std::string environment(const char* name, std::string_view fallback);

}  // namespace relais
