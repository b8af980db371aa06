// What dmarc-report send believes of others: packets of the process that reads traces, an event that
// qmail-smtpd has told, addresses in a record, and the file of what is done. The first octet chooses.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "dmarcrpt/destinations.h"
#include "dmarcrpt/letter.h"
#include "dmarcrpt/observation.h"
#include "dmarcrpt/run_state.h"

namespace {

using namespace relais;

void require(bool condition) {
    if (!condition) std::abort();
}

// A header is what stands before the first empty line: no address or domain of a packet ends it, or adds a
// field.
void look_at_letter(const dmarcrpt::Packet& packet) {
    const std::string letter = letter_of(packet, {"me@here.test", "Here", "mx.here.test"}, 0);
    const std::string header = letter.substr(0, letter.find("\n\n"));
    for (const std::string_view field : {"\nBcc:", "\nX-", "\r"})
        require(header.find(field) == std::string::npos);
}

void look_at_event(std::string_view text) {
    auto records = trace::decode(text);
    if (!records) return;
    for (const trace::Record& record : *records) {
        const auto seen = dmarcrpt::observation_of(record);
        if (!seen) continue;
        for (const std::string* each : {&seen->domain, &seen->from, &seen->disposition, &seen->reason})
            require(each->find('\n') == std::string::npos);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
    switch (data[0] & 3) {
        case 0:
            if (const auto packets = dmarcrpt::decode_packets(text))
                for (const dmarcrpt::Packet& packet : *packets) look_at_letter(packet);
            break;
        case 1:
            look_at_event(text);
            break;
        case 2: {
            const std::string address = dmarcrpt::address_of(text);
            require(address.empty() || dmarcrpt::address_of("mailto:" + address) == address);
            break;
        }
        default:
            if (const auto state = dmarcrpt::parse_run_state(text)) {
                const auto again = dmarcrpt::parse_run_state(encode(*state));
                require(again && again->done == state->done && again->late == state->late);
            }
    }
    return 0;
}
