// dot-forward [-nN] FILE..., in a .qmail file, obeys the first of these files that is there and not empty, as
// sendmail obeys ~/.forward.
//
// Trust: run by qmail-local as the recipient, with no privilege of its own; runs the programs that his file
// names. Inputs: the message on descriptor 0; USER, HOST, NEWSENDER, UFLINE, RPLINE, DTLINE.
//
// Exit codes: 99 obeyed, so that qmail-local stops here; 0 no file, or the file says that the user himself
// gets the message; 100 wrong usage, or a program or the queue said so; 111 later. -n prints what would be
// done, on standard error.
#include "base/error.h"
#include "base/file.h"
#include "control/home.h"
#include "forwarding/commands.h"
#include "forwarding/forward_file.h"
#include "inject/options.h"
#include "inject/required.h"
#include "inject/settings.h"

namespace {

using namespace relais;
using forwarding::ForwardFile;

constexpr int stop_here = 99;
constexpr std::size_t file_limit = std::size_t{16} << 20;

void print(const ForwardFile& file) {
    if (file.to_user) log_raw_line("direct delivery");
    for (const std::string& address : file.recipients) log_raw_line("forward " + address);
    for (const std::string& command : file.commands) log_raw_line("pipe through " + command);
}

std::optional<Exit> obey(const ForwardFile& file) {
    std::string lines;
    for (const char* name : {"UFLINE", "RPLINE", "DTLINE"}) lines += inject::required_variable(name);
    const std::string sender = inject::required_variable("NEWSENDER");
    for (const std::string& command : file.commands)
        if (const auto failed = forwarding::run_command({"/bin/sh", "-c", command}, lines)) return failed;
    if (file.recipients.empty()) return std::nullopt;
    try {
        log_line("info: qp " + std::to_string(forwarding::send_on(sender, file.recipients)));
    } catch (const Error& error) {
        throw Error(error.reaction(), std::string("unable to forward message: ") + error.what());
    }
    return std::nullopt;
}

int dot_forward(const Arguments& arguments) {
    constexpr const char* usage = "usage: dot-forward [ -nN ] file ...";
    bool only_print = false;
    inject::OptionReader options(arguments, "nN");
    while (const auto option = options.next()) {
        if (*option == '?') throw_permanent(usage);
        only_print = *option == 'n';
    }
    if (options.rest().empty()) throw_permanent(usage);
    for (const std::string& path : options.rest()) {
        const auto text = read_file(path, file_limit);
        if (!text) continue;
        const auto rewriter = inject::Settings::read(control::Home::from_environment()).rewriter;
        const ForwardFile file = forwarding::parse_forward_file(*text, inject::required_variable("USER"),
                                                                inject::required_variable("HOST"), rewriter);
        if (file.empty()) {
            const std::string remark = "skipping empty file " + path;
            only_print ? log_raw_line(remark) : log_line("info: " + remark);
            continue;
        }
        if (only_print)
            print(file);
        else if (const auto failed = obey(file))
            return static_cast<int>(*failed);
        return file.to_user ? static_cast<int>(Exit::success) : stop_here;
    }
    return static_cast<int>(Exit::success);
}

}  // namespace

int main(int argc, char** argv) {
    return relais::run_program("dot-forward", argc, argv, dot_forward);
}
