// Running the program that the rest of a command line names, found by $PATH.
#pragma once

#include <sys/types.h>

#include <string_view>

#include "base/program.h"

namespace relais::inject {

// The arguments from this one on.
Arguments from(const Arguments& arguments, std::size_t first);

// Starts the program with the descriptor as its standard input. One that cannot be run exits 111 if trying
// again may help, otherwise 100. Throws Error.
pid_t start_program(const Arguments& command, int standard_input);

// Becomes the program. Throws a temporary Error if it cannot be run.
[[noreturn]] void become_command(const Arguments& command);

// Waits for it; its exit code. Throws Error if a signal ended it.
int wait_for_program(pid_t pid);

// Runs the program with this text, then what is left of standard input, on its standard input; its exit code.
// It need not read all of it. Throws Error if a signal ended it, or the input cannot be read.
int run_with_input(const Arguments& command, std::string_view first);

// What condredirect, bouncesaying and except make of a program.
enum class Verdict { yes, no };
// Runs the program; yes for 0. Throws a temporary Error for 111 and for a crash.
Verdict ask_program(const Arguments& command);

}  // namespace relais::inject
