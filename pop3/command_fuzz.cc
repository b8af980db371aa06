#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "pop3/command.h"
#include "pop3/multiline.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace relais::pop3;
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const Command command = parse_command(input);
    if (command.verb.size() + command.argument.size() > input.size()) std::abort();
    parse_message_number(command.argument);
    parse_top(command.argument);
    if (const auto pair = parse_apop(command.argument))
        if (pair->digest.size() != 32 || pair->name.empty()) std::abort();

    // As a message: cut anywhere it must give the same, and never the end before its end.
    std::string whole, pieces;
    Multiline at_once(3), octet_by_octet(3);
    at_once.add(input, whole);
    at_once.finish(whole);
    for (const char& c : input)
        if (!octet_by_octet.add({&c, 1}, pieces)) break;
    octet_by_octet.finish(pieces);
    if (whole != pieces || !whole.ends_with(".\r\n")) std::abort();
    if (whole.size() > 3 && whole.find("\r\n.\r\n") != whole.size() - 5) std::abort();
    return 0;
}
