// setforward CDB TMP makes fastforward's table from the instructions on standard input,
// "TARGET: COMMAND, COMMAND;". The table is replaced as a whole: written as TMP, synced, renamed.
//
// Run by whoever may write there. Exit codes: 0; 100 wrong usage, or instructions that are none; 111
// something cannot be read or written. Whatever goes wrong leaves the old table.
#include "base/cdb.h"
#include "base/error.h"
#include "base/program.h"
#include "forwarding/files.h"
#include "forwarding/table.h"

namespace {

using namespace relais;

int setforward(const Arguments& arguments) {
    if (arguments.size() < 2) throw_permanent("usage: setforward data.cdb data.tmp");
    const auto records = forwarding::parse_table(forwarding::read_input());
    CdbWriter writer(arguments[0], arguments[1]);
    for (const forwarding::Record& record : records) writer.add(record.key, record.data);
    writer.commit();
    return static_cast<int>(Exit::success);
}

}  // namespace

int main(int argc, char** argv) {
    return relais::run_program("setforward", argc, argv, setforward);
}
