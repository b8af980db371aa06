// The data of DNS records, as libunbound hands them on: anybody's zone. The first octet is the type, the
// second one what the answer says beside; then records with a length before each. What comes of it must pass
// the resolver's own protocol.
#include <unbound.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "net/dns_name.h"
#include "net/lookup.h"

using namespace relais::net;

namespace {

constexpr std::array types = {RecordType::a,   RecordType::cname, RecordType::ptr, RecordType::mx,
                              RecordType::txt, RecordType::aaaa,  RecordType::tlsa};

struct Records {
    std::vector<std::string> octets;
    std::vector<char*> data;
    std::vector<int> sizes;
};

Records split(std::string_view input) {
    Records records;
    while (!input.empty()) {
        const auto size = static_cast<unsigned char>(input[0]);
        records.octets.emplace_back(input.substr(1, size));
        input.remove_prefix(std::min<std::size_t>(input.size(), std::size_t{1} + size));
    }
    for (std::string& each : records.octets) {
        records.data.push_back(each.data());
        records.sizes.push_back(static_cast<int>(each.size()));
    }
    records.data.push_back(nullptr);
    return records;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    if (size < 2) return 0;
    const std::string_view input(reinterpret_cast<const char*>(bytes), size);
    const RecordType type = types[bytes[0] % types.size()];
    Records records = split(input.substr(2));
    ub_result result{};
    result.data = records.data.data();
    result.len = records.sizes.data();
    result.havedata = (bytes[1] & 1) == 0;
    result.nxdomain = (bytes[1] & 2) != 0;
    result.secure = (bytes[1] & 4) != 0;
    result.bogus = (bytes[1] & 8) != 0;
    result.rcode = bytes[1] >> 4;
    const DnsAnswer answer = to_answer(type, result);
    if (answer.records.size() > records.octets.size()) std::abort();
    if ((answer.status == DnsStatus::found) != !answer.records.empty()) std::abort();
    const std::string encoded = encode_answer(answer);
    const auto again = decode_answer(std::string_view(encoded).substr(4));
    if (!again || again->records.size() != answer.records.size() || again->status != answer.status)
        std::abort();
    const auto name = parse_wire_name(input.substr(2));
    if (name && (name->size > size - 2 || name->size > 255)) std::abort();
    return 0;
}
