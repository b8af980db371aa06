// predate program [argument...] runs the program with a Date field, in local time, and then its own standard
// input on standard input: `predate sendmail -t` for scripts whose readers want the sender's own clock.
//
// Trust: run by anybody, with no privilege of its own. Exit codes: those of the program; 100 wrong usage, or
// the program is not there; 111 it crashed, or the input could not be read.
#include <time.h>

#include <array>

#include "base/error.h"
#include "base/time.h"
#include "inject/child.h"

namespace {

using namespace relais;

// "Date: 26 Sep 1995 04:46:54 +0200\n". strftime would name the months in the caller's language.
std::string date_field() {
    const time_t now = now_seconds();
    tm local{};
    if (::localtime_r(&now, &local) == nullptr) throw_errno("find out", "the local time");
    constexpr std::array months = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    std::array<char, 64> rest{};
    std::string field = "Date: " + std::to_string(local.tm_mday) + " ";
    field += months.at(static_cast<std::size_t>(local.tm_mon));
    field.append(rest.data(), ::strftime(rest.data(), rest.size(), " %Y %H:%M:%S %z\n", &local));
    return field;
}

}  // namespace

int main(int argc, char** argv) {
    using namespace relais;
    return run_program("predate", argc, argv, [](const Arguments& command) {
        if (command.empty()) throw_permanent("usage: predate program [ arg ... ]");
        return inject::run_with_input(command, date_field());
    });
}
