// maildirmake makes an empty Maildir: a directory with tmp, new and cur, of mode 0700, that lasts.
//
// Trust: run by anybody, with no privilege of its own. Input: the name of the directory.
//
// Exit codes: 0 made; 100 wrong usage; 111 it could not be made, or something of that name is there.
#include <string>

#include "base/error.h"
#include "base/file.h"
#include "base/path.h"
#include "base/program.h"
#include "base/sys.h"

namespace {

using namespace relais;

void make_directory(const std::string& path) {
    if (sys::mkdir(path.c_str(), 0700) < 0) throw_errno("mkdir", path);
}

std::string parent_of(std::string path) {
    while (path.size() > 1 && path.back() == '/') path.pop_back();
    return directory_of(path);
}

int maildirmake(const Arguments& arguments) {
    if (arguments.empty()) throw_permanent("usage: maildirmake name");
    const std::string& name = arguments[0];
    ::umask(077);
    make_directory(name);
    for (const char* part : {"/tmp", "/new", "/cur"}) make_directory(name + part);
    sync_directory(name);
    sync_directory(parent_of(name));
    return static_cast<int>(Exit::success);
}

}  // namespace

int main(int argc, char** argv) {
    return relais::run_program("maildirmake", argc, argv, maildirmake);
}
