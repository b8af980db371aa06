// maildir2mbox moves the messages of a Maildir to the end of an mbox file. They are removed from the Maildir
// when the mbox that holds them has been synced and is in its place; a crash before that leaves both as they
// were, one within the removal delivers some of them twice.
//
// Trust: run by the owner of both, with no privilege of its own. Inputs: MAILDIR, MAIL (the mbox, locked with
// flock meanwhile), MAILTMP (overwritten; on the same file system).
//
// Exit codes: 0 moved, or nothing to move; 111 everything else.
#include <sys/stat.h>

#include <string>

#include "base/error.h"
#include "base/program.h"
#include "inject/maildir_to_mbox.h"

namespace {

using namespace relais;

std::string variable(const char* name) {
    const std::string value = environment(name, "");
    if (value.empty()) throw Error(Reaction::temporary, std::string(name) + " not set");
    return value;
}

int maildir2mbox(const Arguments&) {
    const std::string maildir = variable("MAILDIR");
    const std::string mbox = variable("MAIL");
    const std::string temporary = variable("MAILTMP");
    ::umask(077);
    inject::move_maildir_to_mbox(maildir, mbox, temporary);
    return static_cast<int>(Exit::success);
}

}  // namespace

int main(int argc, char** argv) {
    return relais::run_program("maildir2mbox", argc, argv, maildir2mbox);
}
