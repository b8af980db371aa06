// qmail-newmrh: compiles control/morercpthosts into control/morercpthosts.cdb, where qmail-smtpd looks when
// rcpthosts does not name a domain.
//
// A record for each line that counts: the domain in lower case, letters beyond ASCII as A-labels, without
// data. The old file stays until the new one is on the disk whole. A missing morercpthosts is an error, so
// that a slip of the finger takes no domain away. Exit codes: 0; 111 nothing was changed.
#include "base/cdb.h"
#include "base/error.h"
#include "base/idna.h"
#include "base/program.h"
#include "control/control_file.h"
#include "control/setting.h"
#include "control/tool.h"

int main(int argc, char** argv) {
    using namespace relais;
    return control::run_tool("qmail-newmrh", argc, argv, [](const Arguments& arguments) {
        if (!arguments.empty()) throw Error(Reaction::temporary, "usage: qmail-newmrh");
        const auto home = control::Home::from_environment();
        const auto domains = control::read_if_there<"morercpthosts">(home);
        if (!domains) throw_errno("read", home.control_file("morercpthosts"), ENOENT);
        CdbWriter writer(home.control_file("morercpthosts.cdb"), home.control_file("morercpthosts.tmp"));
        for (const std::string& domain : *domains) writer.add(comparable(domain), "");
        writer.commit();
        return static_cast<int>(Exit::success);
    });
}
