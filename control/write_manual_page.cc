// Writes qmail-control(5), which is made from the table of control files, for the build. Trust: none needed.
#include <unistd.h>

#include "base/deadline.h"
#include "base/io.h"
#include "base/program.h"
#include "control/table.h"

int main(int argc, char** argv) {
    return relais::run_program("write_manual_page", argc, argv, [](const relais::Arguments&) {
        relais::write_all(STDOUT_FILENO, relais::control::manual_page(), relais::Deadline::never());
        return 0;
    });
}
