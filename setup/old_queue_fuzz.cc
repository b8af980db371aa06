// The files of an old queue: anything may stand in them.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "mail/address.h"
#include "setup/old_formats.h"

using namespace relais::setup;

namespace {

void require(bool condition) {
    if (!condition) std::abort();
}

void check(const OldRecipients& recipients, std::size_t size) {
    std::size_t octets = 0;
    for (const OldRecipient& each : recipients.all) {
        require(!each.address.empty() && each.address.size() <= relais::mail::address_limit);
        require(each.address.find('\0') == std::string::npos);
        octets += each.address.size() + 2;
    }
    require(octets <= size && (octets == size || !recipients.fault.empty()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    const std::string_view data(reinterpret_cast<const char*>(bytes), size);
    check(parse_old_recipients(data), size);
    if (const auto sender = parse_old_info(data)) require(sender->size() + 2 == size);
    if (const auto todo = parse_old_todo(data))
        for (const OldRecipient& each : todo->recipients.all) require(!each.done);
    const OldOrigin origin = parse_old_trace(data);
    require(origin.uid == 0 || origin.origin == relais::queue::Origin::user);
    for (const std::string& address : bounced_addresses(data))
        require(address.size() <= relais::mail::address_limit && address.find('\n') == std::string::npos);
    const std::size_t half = size / 2;
    const std::string address(data.substr(half));
    const std::string line(data.substr(0, half));
    const relais::send::RewriteRules rules("me.example", {"me.example"}, {}, {line});
    const std::string plain = without_prefix(rules, virtual_prefixes({line}), address);
    require(plain == address || relais::send::rewrite(rules, plain).address == address);
    return 0;
}
