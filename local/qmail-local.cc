// qmail-local [-nN] USER HOME LOCAL DASH EXT DOMAIN SENDER ALIASEMPTY: delivers the message on fd 0.
//
// It looks in HOME for the .qmail file of DASH and EXT and carries out its instructions, or those of
// ALIASEMPTY. With -n it only says what it would do. qmail-lspawn does the same without executing this
// program. Trust: runs as the recipient, who may put anything in his .qmail; message and addresses are
// hostile. Exports variables that hold them to the programs it runs: qmail-local(8) lists them. Exit
// codes: 0 delivered; 100 never; 111 not now. What it has to say is on standard output and standard error.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <vector>

#include "base/error.h"
#include "base/io.h"
#include "base/program.h"
#include "control/control_file.h"
#include "control/hide_arguments.h"
#include "local/delivery.h"
#include "local/settings.h"

namespace {

using namespace relais;

constexpr const char* usage =
    "usage: qmail-local [ -nN ] user homedir local dash ext domain sender aliasempty";

// The message as a file that can be read twice: fd 0 itself if it is one, else a copy of all it gives.
Fd message_file() {
    struct stat status {};
    if (::fstat(STDIN_FILENO, &status) != 0) throw_errno("read", "fd 0");
    if (S_ISREG(status.st_mode)) {
        Fd file(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3));
        if (!file) throw_errno("read", "fd 0");
        return file;
    }
    Fd file(::memfd_create("message", MFD_CLOEXEC));
    if (!file) throw_errno("make", "a copy of fd 0");
    std::vector<char> buffer(io_buffer_size);
    while (const std::size_t count = read_some(STDIN_FILENO, buffer, Deadline::never()))
        write_all(file.get(), {buffer.data(), count}, Deadline::never());
    return file;
}

int work(const Arguments& arguments) {
    control::hide_arguments("qmail-local");
    bool for_real = true;
    std::size_t at = 0;
    for (; at < arguments.size() && arguments[at].size() > 1 && arguments[at].front() == '-'; ++at) {
        if (arguments[at] == "--") {
            ++at;
            break;
        }
        for (const char option : arguments[at].substr(1)) {
            if (option != 'n' && option != 'N') throw_permanent(usage);
            for_real = option == 'N';
        }
    }
    if (arguments.size() - at != 8 || !arguments[at + 1].starts_with('/')) throw_permanent(usage);
    const auto instance = control::Home::from_environment();
    local::Order order;
    order.user = {arguments[at], 0, 0, arguments[at + 1], arguments[at + 3], arguments[at + 4]};
    order.local = arguments[at + 2];
    order.domain = arguments[at + 5];
    order.sender = arguments[at + 6];
    order.default_delivery = arguments[at + 7];
    order.instance = &instance;
    local::Output out;
    if (!for_real) return static_cast<int>(local::describe(order, out));
    order.program_limit = local::program_limit(instance);
    const Fd file = message_file();
    struct stat status {};
    if (::fstat(file.get(), &status) != 0) throw_errno("read", "fd 0");
    const local::Message message(file.get(), static_cast<std::uint64_t>(status.st_size));
    return static_cast<int>(local::deliver(instance, order, message, out));
}

}  // namespace

int main(int argc, char** argv) {
    return run_program("qmail-local", argc, argv, work);
}
