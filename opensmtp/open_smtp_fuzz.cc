// The first octet chooses: an entry and its file, a request, an answer, a line of vpopmail's, an exclusion.
#include <cstdlib>
#include <string>

#include "opensmtp/address.h"
#include "opensmtp/entry.h"
#include "opensmtp/entry_file.h"
#include "opensmtp/protocol.h"
#include "opensmtp/store.h"
#include "opensmtp/vpopmail.h"

using namespace relais::opensmtp;

namespace {

void must(bool condition) {
    if (!condition) std::abort();
}

void entry(std::string_view text) {
    const auto read = decode_entry("192.0.2.7", text);
    if (!read) return;
    must(decode_entry("192.0.2.7", encode(*read)) == read);
    const Moment now{1'000'000, 50'000, "this-boot"};
    for (const char c : login_text(*read, now)) must(c >= 32);
    if (live(*read, default_lifetime, now))
        must(*age(*read, now) >= 0 && *age(*read, now) < default_lifetime);
}

void entry_file(std::string_view text) {
    const auto read = decode_entry_file("192.0.2.7", text);
    must(read.entry.has_value() == (read.number != 0));
    if (!read.entry) return;
    const std::string slot = encode_slot(*read.entry, read.number);
    must(slot.size() <= slot_size && decode_entry_file("192.0.2.7", slot).entry == read.entry);
}

void request(std::string_view text) {
    const auto read = decode_request(text);
    if (!read) return;
    const std::string line = encode(*read);
    must(decode_request(std::string_view(line).substr(0, line.size() - 1)) == read);
    if (!read->address.empty()) must(address_of_file(file_name(read->address)) == read->address);
}

void answer(std::string_view text) {
    const auto read = decode_answer(text);
    if (!read) return;
    const std::string line = encode(*read);
    must(line.find('\n') == line.size() - 1);
}

void vpopmail(std::string_view text) {
    const auto read = parse_vpopmail_line(text);
    if (read)
        must(parse_vpopmail_line(vpopmail_line(read->address, read->wall, true))->address == read->address);
    if (read && text.find('\n') == std::string_view::npos) find_vpopmail_line(text, read->address);
    find_vpopmail_line(text, "192.0.2.7");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
    switch (data[0] % 5) {
        case 0:
            entry(text);
            entry_file(text);
            break;
        case 1:
            request(text);
            break;
        case 2:
            answer(text);
            break;
        case 3:
            vpopmail(text);
            break;
        default:
            NetworkSet({text}).match("192.0.2.7");
            break;
    }
    return 0;
}
