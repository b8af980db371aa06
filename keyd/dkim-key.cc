// dkim-key make|show|check|use|rotate DOMAIN [--selector S]: the keys that sign a domain's mail. make makes
// one, show prints the DNS records that publish them, check looks whether DNS has them, use lets them sign,
// rotate does the next step of an exchange.
//
// Trust: run by whoever owns the instance's keys; writes below control/dkim only. What DNS says is compared,
// and shown safe for a terminal. Exit codes: 0 done, and all keys that it is about are published; 1 one is
// not; 100 wrong usage, no key; 111 DNS did not answer, or the system failed.
#include "base/command_line.h"
#include "control/tool.h"
#include "keyd/dkim_commands.h"

namespace {

using namespace relais;

int work(const Arguments& arguments) {
    keyd::DkimOptions options;
    CommandLine line("Makes the keys that sign a domain's mail (DKIM), and says what to publish.",
                     "dkim-key");
    line.takes_one(CommandLine::Subcommand::required);
    Command making = line.subcommand("make", "makes a key and prints its record").fallthrough();
    Command showing = line.subcommand("show", "prints the records of the domain's keys").fallthrough();
    Command checking = line.subcommand("check", "looks whether DNS has them").fallthrough();
    Command using_them = line.subcommand("use", "lets them sign, once DNS has them").fallthrough();
    Command rotating = line.subcommand("rotate", "the next step from old keys to new ones").fallthrough();
    for (Command* command : {&making, &showing, &checking, &using_them, &rotating})
        command->option("DOMAIN", options.domain, "whose mail is signed").required();
    line.option("--selector", options.selector,
                "the key's name; by default all of the domain, and for a new one its type and month");
    making.option("--type", options.type, "rsa (2048 bits), ed25519 or both");
    for (Command* command : {&checking, &using_them, &rotating})
        command->option("--dns", options.zone, "a zone file that answers in the place of DNS");
    for (Command* command : {&using_them, &rotating})
        command->flag("--unchecked", options.unchecked, "without asking DNS");
    if (const auto code = line.parse(arguments)) return *code;
    const auto home = control::Home::from_environment();
    if (making.given()) return keyd::make_keys(home, options);
    if (using_them.given()) return keyd::use_keys(home, options);
    if (rotating.given()) return keyd::rotate_keys(home, options);
    return showing.given() ? keyd::show_keys(home, options) : keyd::check_keys(home, options);
}

}  // namespace

int main(int argc, char** argv) {
    return control::run_tool("dkim-key", argc, argv, work);
}
