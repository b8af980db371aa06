#include "listen/options.h"

#include "base/error.h"
#include "base/text.h"

namespace relais::listen {
namespace {

[[noreturn]] void usage(std::string_view program, const std::string& problem) {
    throw_permanent(problem + "; usage: " + std::string(program) +
                    " [--tls] [-l ADDRESS:PORT]... [--proxy ADDRESS:PORT]... [-x RULES.CDB] "
                    "[-c CONNECTIONS] [--per-ip CONNECTIONS]");
}

std::size_t number(std::string_view program, const std::string& option, const std::string& value) {
    const auto result = parse_number(value);
    if (!result) usage(program, option + " needs a number, not " + value);
    return *result;
}

void add_sockets(std::string_view program, Options& options, const std::string& value) {
    for (const std::string_view part : split(value, ','))
        options.sockets.push_back(static_cast<int>(number(program, "--sockets", std::string(part))));
}

}  // namespace

Options parse_options(std::string_view program, const Arguments& arguments) {
    Options options;
    for (std::size_t i = 0; i < arguments.size(); i += 2) {
        const std::string& option = arguments[i];
        if (option == "--tls") {
            options.tls = true;
            --i;
            continue;
        }
        if (i + 1 == arguments.size()) usage(program, option + " needs a value");
        const std::string& value = arguments[i + 1];
        if (option == "-l" || option == "--proxy") {
            const auto endpoint = net::parse_endpoint(value);
            if (!endpoint)
                usage(program,
                      option + " needs an address and a port (192.0.2.1:25, [2001:db8::1]:25), not " + value);
            options.places.push_back({*endpoint, option == "--proxy"});
        } else if (option == "-x") {
            options.rules = value;
        } else if (option == "-c") {
            options.connection_limit = number(program, option, value);
        } else if (option == "--per-ip") {
            options.address_limit = number(program, option, value);
        } else if (option == "--sockets") {
            add_sockets(program, options, value);
        } else if (option == "--filters") {
            options.filters = static_cast<int>(number(program, option, value));
        } else {
            usage(program, "unknown option " + option);
        }
    }
    const bool listens = arguments.size() > (options.tls ? 1 : 0);
    if (options.places.empty() && listens) usage(program, "-l is missing");
    if (!options.sockets.empty() && options.sockets.size() != options.places.size())
        usage(program, "--sockets has another number of them than there are places");
    return options;
}

}  // namespace relais::listen
