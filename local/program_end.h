// What the exit code of a program that a delivery runs means.
#pragma once

namespace relais::local {

// What a program's exit code asks for: interfaces of the qmail family since its first day.
enum class ProgramEnd {
    done,           // 0
    done_and_stop,  // 99: the remaining lines are not for this message
    permanent,      // 100, 64, 65, 70, 76, 77, 78, 112
    temporary,      // any other
};
ProgramEnd program_end(int exit_code);

}  // namespace relais::local
