// from [MAILBOX] prints a line "From SENDER DATE" for each message of a Maildir or an mbox: the argument,
// else $MAILDIR, else $MAIL.
//
// Trust: run by anybody, with no privilege of its own; what senders wrote is shown without what could command
// the terminal. Exit codes: 0; 100 wrong usage or no mailbox is named; 111 it cannot be read.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "base/error.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/printable.h"
#include "base/program.h"
#include "family/summary.h"
#include "inject/mbox.h"

namespace {

using namespace relais;

constexpr std::size_t line_limit = 65536;

void print(std::string_view line) {
    write_all(STDOUT_FILENO, printable(line) + "\n", Deadline::never());
}

void list_maildir(const std::string& directory) {
    for (const std::string& path : family::maildir_files(directory, true)) {
        const std::string beginning = family::beginning_of(path);
        struct stat info {};
        if (beginning.empty() || ::stat(path.c_str(), &info) != 0) continue;
        std::string line = inject::from_line(beginning.substr(0, beginning.find('\n')), info.st_mtime);
        line.pop_back();
        print(line);
    }
}

// A message begins with "From " at the beginning of the file or behind an empty line.
void list_mbox(const std::string& path) {
    const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
    if (!file) throw_errno("open", path);
    Reader reader(file.get());
    std::string line;
    bool may_begin = true;
    for (Reader::Line read = Reader::Line::complete; read != Reader::Line::ended;) {
        read = reader.read_line(line, line_limit, Deadline::never());
        if (may_begin && line.starts_with("From ")) print(line);
        may_begin = read == Reader::Line::complete && line.empty();
    }
}

int from(const Arguments& arguments) {
    if (arguments.size() > 1) throw_permanent("usage: from [ mailbox ]");
    std::string mailbox = arguments.empty() ? environment("MAILDIR", environment("MAIL", "")) : arguments[0];
    if (mailbox.empty()) throw_permanent("usage: from [ mailbox ]: neither MAILDIR nor MAIL is set");
    struct stat info {};
    if (::stat(mailbox.c_str(), &info) != 0) throw_errno("look at", mailbox);
    S_ISDIR(info.st_mode) ? list_maildir(mailbox) : list_mbox(mailbox);
    return static_cast<int>(Exit::success);
}

}  // namespace

int main(int argc, char** argv) {
    return relais::run_program("from", argc, argv, from);
}
