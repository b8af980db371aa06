// Headers from anybody: pieces of any size give the same, and a list that was read and written is the same
// list.
#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "mail/address_list.h"
#include "mail/header.h"

namespace {

using namespace relais::mail;

std::string all_addresses(AddressList& list) {
    std::string all;
    for (const ListedAddress* address : addresses_of(list)) all += address->address() + '\n';
    return all;
}

void check_list(std::string_view body) {
    auto list = parse_address_list(body);
    if (!list) return;
    const std::string field = write_address_field("To", *list);
    auto again = parse_address_list(field_body(field));
    if (!again || all_addresses(*again) != all_addresses(*list)) std::abort();
    if (write_address_field("To", *again) != field) std::abort();
}

HeaderReader read(std::string_view message, std::size_t piece) {
    HeaderReader reader(1 << 20);
    bool done = false;
    while (!message.empty()) {
        done = reader.add(message.substr(0, piece)) == HeaderReader::State::done;
        message.remove_prefix(std::min(piece, message.size()));
    }
    if (!done) reader.finish();
    return reader;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string text(data, data + size);
    check_list(text);
    const HeaderReader whole = read(text, text.size());
    const HeaderReader pieces = read(text, 3);
    if (whole.fields() != pieces.fields() || whole.rest() != pieces.rest()) std::abort();
    for (const std::string& field : whole.fields()) check_list(field_body(field));
    HopCounter at_once;
    HopCounter bit_by_bit;
    at_once.add(text);
    for (std::size_t i = 0; i < text.size(); i += 5) bit_by_bit.add(std::string_view(text).substr(i, 5));
    if (at_once.hops() != bit_by_bit.hops()) std::abort();
    return 0;
}
