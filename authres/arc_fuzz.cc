// A message: its ARC sets, and its Authentication-Results, which are read, written and read again.
#include <cstdint>
#include <cstdlib>

#include "authres/verification.h"
#include "authres/zone.h"

namespace {

using namespace relais;

// What was read can be written, and is then read as the same.
void round_trip(std::string_view body) {
    const auto read = authres::parse_results(body);
    if (!read) return;
    const std::string field = authres::results_field(*read);
    const auto again = authres::parse_results(std::string_view(field).substr(field.find(':') + 1));
    if (read->server.find_first_of(" \t()<>@,;:\\\"/[]?=\r\n") != std::string::npos || read->server.empty())
        return;
    if (!again || again->methods.size() != read->methods.size()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    static const authres::Zone zone = authres::Zone::parse(
        "*.example. TXT \"k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"\n", "zone");
    authres::ZoneDns dns(zone);
    authres::Verification verification;
    verification.add(input);
    verification.end_message();
    const auto verified = verification.finish(dns, {}, Deadline::never());
    if (verified.arc.sets > authres::arc_set_limit) std::abort();
    for (const auto& field : verification.header().fields) round_trip(field.body());
    round_trip(input);
    const auto written = authres::to_results(
        verified, {"192.0.2.1", "helo.example", std::string(input.substr(0, 300))}, "mx.example");
    const std::string field = authres::results_field(written);
    const auto read = authres::parse_results(std::string_view(field).substr(field.find(':') + 1));
    if (!read || read->methods.size() != written.methods.size()) std::abort();
    return 0;
}
