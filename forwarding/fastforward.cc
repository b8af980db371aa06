// fastforward [-nNpPdD] CDB, in .qmail-default, sends the message where a table of setforward's says.
//
// Trust: run by qmail-local as the recipient, with no privilege of its own; runs the programs that the table
// names. Who may write a mailing list that the table names decides who gets the message, and no more. Inputs:
// the message on descriptor 0; RECIPIENT, or with -d DEFAULT (else EXT) and HOST; SENDER, DTLINE.
//
// Exit codes: 0 sent on, with "fastforward: qp N" on standard error; 99 the same with -p, where 0 means that
// the table has no such recipient; 100 it has none, a program said so, or wrong usage; 111 later. -n prints
// what would be done, on standard error.
#include <cstdlib>

#include "base/cdb.h"
#include "base/error.h"
#include "forwarding/commands.h"
#include "forwarding/expansion.h"
#include "forwarding/files.h"
#include "inject/options.h"

namespace {

using namespace relais;

constexpr int stop_here = 99;

struct Options {
    bool only_print = false;
    bool pass_through = false;
    bool by_extension = false;
    std::string table;
};

Options read_options(const Arguments& arguments) {
    constexpr const char* usage = "usage: fastforward [ -nNpPdD ] data.cdb";
    Options result;
    inject::OptionReader options(arguments, "nNpPdD");
    while (const auto option = options.next()) {
        switch (*option) {
            case 'n':
            case 'N':
                result.only_print = *option == 'n';
                break;
            case 'p':
            case 'P':
                result.pass_through = *option == 'p';
                break;
            case 'd':
            case 'D':
                result.by_extension = *option == 'd';
                break;
            default:
                throw_permanent(usage);
        }
    }
    if (options.rest().empty()) throw_permanent(usage);
    result.table = options.rest()[0];
    return result;
}

std::string recipient(bool by_extension) {
    const auto required = [](const char* name, const std::string& names) -> std::string {
        const char* value = std::getenv(name);
        if (value == nullptr) throw_permanent(names + " must be set");
        return value;
    };
    if (!by_extension) return required("RECIPIENT", "$RECIPIENT");
    const char* local = std::getenv("DEFAULT") != nullptr ? "DEFAULT" : "EXT";
    const std::string extension = required(local, "$DEFAULT or $EXT");
    return extension + "@" + required("HOST", "$HOST");
}

void print(const forwarding::Expansion& expansion) {
    for (const std::string& program : expansion.programs) log_raw_line("run " + program);
    if (expansion.recipients.empty()) return;
    log_raw_line("from <" + expansion.sender + ">");
    for (const std::string& address : expansion.recipients) log_raw_line("to <" + address + ">");
}

std::optional<Exit> obey(const forwarding::Expansion& expansion) {
    for (const std::string& program : expansion.programs) {
        Arguments command{"/bin/sh", "-c", program.substr(1)};
        if (program.front() == '!') command.insert(command.begin(), "preline");
        if (const auto failed = forwarding::run_command(command)) return failed;
    }
    if (!expansion.recipients.empty())
        log_line("qp " + std::to_string(forwarding::send_on(expansion.sender, expansion.recipients)));
    return std::nullopt;
}

int fastforward(const Arguments& arguments) {
    const Options options = read_options(arguments);
    const std::string address = recipient(options.by_extension);
    const CdbReader table(options.table);
    const auto find = [&](const std::string& key) {
        const auto data = table.find(key);
        return data ? std::optional<std::string>(*data) : std::nullopt;
    };
    const auto expansion =
        forwarding::expand(address, environment("SENDER", ""), find, forwarding::read_list);
    if (!expansion && options.pass_through) return static_cast<int>(Exit::success);
    if (!expansion) {
        log_raw_line("Sorry, no mailbox here by that name. (#5.1.1)");
        return static_cast<int>(Exit::permanent);
    }
    if (options.only_print)
        print(*expansion);
    else if (const auto failed = obey(*expansion))
        return static_cast<int>(*failed);
    return options.pass_through ? stop_here : static_cast<int>(Exit::success);
}

}  // namespace

int main(int argc, char** argv) {
    return relais::run_program("fastforward", argc, argv, fastforward);
}
