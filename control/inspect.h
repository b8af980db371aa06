// What the control files say and what is wrong with them, for qmail-showctl and whoever else checks an
// instance.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "control/home.h"
#include "control/table.h"

namespace relais::control {

struct ShownFile {
    const ControlFile* row;
    bool from_file;                  // else the lines are the default
    std::vector<std::string> lines;  // what counts; one at most for a line or a number, none for a database
};

// A warning is something that hardly anybody can want; a note is worth knowing.
struct Finding {
    std::string file;  // below the home directory
    bool warning;
    std::string text;
};

struct Inspection {
    std::vector<ShownFile> files;  // every row of the table
    std::vector<Finding> findings;
};

// Reads every control file and compares them, each database with its source, and the names in control/ with
// the table. What cannot be read is a finding. Throws Error only if there is no control directory.
Inspection inspect(const Home& home);

}  // namespace relais::control
