// newaliases makes users/aliases.cdb from the file of aliases that control/aliases names. The old one stays
// in force until the new one is on the disk whole, and for good if a line cannot be read.
//
// Trust: run by who may write to $QMAILHOME/users; reads a file that root, or the alias user, has written.
// sendmail -bi runs it.
//
// Exit codes: 0; 100 no control/aliases, or a line that cannot be read, which is named; 111 it cannot be
// written.
#include <fmt/core.h>

#include "base/error.h"
#include "base/io.h"
#include "control/tool.h"
#include "forwarding/aliases.h"

int main(int argc, char** argv) {
    using namespace relais;
    return control::run_tool("newaliases", argc, argv, [](const Arguments& arguments) {
        // Scripts written for others say -v and the like.
        for (const std::string& argument : arguments)
            if (!argument.starts_with('-')) throw_permanent("usage: newaliases");
        const auto made = forwarding::compile_aliases(control::Home::from_environment());
        write_all(1, fmt::format("{}: {} aliases\n", made.source, made.aliases), Deadline::never());
        return static_cast<int>(Exit::success);
    });
}
