// What a message brings that lists are asked about: bounded, and names that may be asked for, in whatever
// pieces it comes.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "authres/dns.h"
#include "policy/message_subjects.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace relais::policy;
    const std::string text(data, data + size);
    MessageSubjects whole, pieces;
    whole.add(text);
    whole.finish();
    for (std::size_t at = 0; at < text.size(); at += 3) pieces.add(std::string_view(text).substr(at, 3));
    pieces.finish();
    if (whole.hosts().size() > MessageSubjects::most_hosts) std::abort();
    if (whole.addresses().size() > MessageSubjects::most_addresses) std::abort();
    if (text.size() < 4096 && (whole.hosts() != pieces.hosts() || whole.addresses() != pieces.addresses()))
        std::abort();
    for (const std::string& name : names_of_hosts(whole.hosts(), 30))
        if (!relais::authres::is_domain_name(name)) std::abort();
    for (const std::string& address : whole.addresses()) address_hash(address);
    return 0;
}
