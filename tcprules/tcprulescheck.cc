// tcprulescheck says which rule of RULES.CDB a client would meet, and what the rule does.
//
// It asks for the address in $TCPREMOTEIP (0.0.0.0 if unset), the name in $TCPREMOTEHOST and the user in
// $TCPREMOTEINFO, as tcpserver sets them; the address and the user may also be arguments. It reads the cdb
// and changes nothing.
//
// Exit codes: 0 it said so, also for deny; 100 wrong usage; 111 the cdb cannot be read.

#include <unistd.h>

#include <cstdlib>

#include "base/error.h"
#include "base/io.h"
#include "base/program.h"
#include "tcprules/rules.h"

namespace relais::tcprules {
namespace {

std::optional<std::string> variable(const char* name) {
    const char* value = std::getenv(name);
    return value != nullptr ? std::optional<std::string>(value) : std::nullopt;
}

std::string describe(const Decision& decision) {
    std::string text = decision.rule ? "rule " + *decision.rule + ":\n" : "default:\n";
    for (const auto& [name, value] : decision.variables)
        text.append("set environment variable ").append(name).append("=").append(value).append("\n");
    return text.append(decision.allow ? "allow" : "deny").append(" connection\n");
}

Decision ask(const std::string& path, const Client& client) {
    try {
        return RulesFile(path).look_up(client);
    } catch (const Error& error) {
        // The words of ucspi-tcp, which scripts and its tests compare.
        const std::string reason =
            error.number() == ENOENT ? "file does not exist" : errno_text(error.number());
        throw Error(Reaction::temporary, "unable to read " + path + ": " + reason, error.number());
    }
}

int check(const Arguments& arguments) {
    if (arguments.empty() || arguments.size() > 3) {
        log_line("usage: tcprulescheck rules.cdb [ ip [ info ] ]");
        return static_cast<int>(Exit::permanent);
    }
    Client client{variable("TCPREMOTEIP").value_or("0.0.0.0"), variable("TCPREMOTEHOST"),
                  variable("TCPREMOTEINFO")};
    if (arguments.size() > 1) client.ip = arguments[1];
    if (arguments.size() > 2) client.info = arguments[2];
    write_all(STDOUT_FILENO, describe(ask(arguments[0], client)), Deadline::never());
    return 0;
}

}  // namespace
}  // namespace relais::tcprules

int main(int argc, char** argv) {
    return relais::run_program("tcprulescheck", argc, argv, relais::tcprules::check);
}
