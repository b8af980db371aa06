#include "local/program_end.h"

namespace relais::local {

ProgramEnd program_end(int exit_code) {
    switch (exit_code) {
        case 0:
            return ProgramEnd::done;
        case 99:
            return ProgramEnd::done_and_stop;
        case 100:
        case 64:
        case 65:
        case 70:
        case 76:
        case 77:
        case 78:
        case 112:
            return ProgramEnd::permanent;
        default:
            return ProgramEnd::temporary;
    }
}

}  // namespace relais::local
