// clearopensmtp: what vpopmail calls "open-smtp expire", for crontabs that are there already. Entries that
// have expired relay no more whether it runs or not. Exit codes: as open-smtp(1).
#include "base/error.h"
#include "base/program.h"
#include "control/tool.h"
#include "opensmtp/tool.h"

using namespace relais;

int main(int argc, char** argv) {
    return control::run_tool("clearopensmtp", argc, argv, [](const Arguments& arguments) {
        if (!arguments.empty()) throw_permanent("usage: clearopensmtp");
        opensmtp::ask_server(control::Home::from_environment(), {opensmtp::Verb::expire});
        return 0;
    });
}
