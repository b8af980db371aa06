// The files of an Exim spool, and the answers of Debian's configuration: anything may stand in them.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "mail/address.h"
#include "setup/exim_file.h"
#include "setup/exim_settings.h"

using namespace relais::setup;

namespace {

void require(bool condition) {
    if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    const std::string_view data(reinterpret_cast<const char*>(bytes), size);
    constexpr std::string_view id = "1abcde-000001-AB";
    EximHeader header = parse_exim_header(data, id);
    require(header.whole || !header.fault.empty());
    require(!header.whole || !header.envelope.recipients.empty());
    require(header.fields.size() <= size && header.envelope.recipients.size() <= size &&
            header.done.size() <= size);
    for (const auto& recipient : header.envelope.recipients)
        require(!recipient.address.empty() && recipient.address.size() <= relais::mail::address_limit &&
                recipient.address.find('\0') == recipient.address.npos);
    const auto journal = parse_exim_journal(data);
    const auto left = mark_done(header.envelope, journal);
    require(left.size() <= journal.size());
    for (const bool wire : {false, true})
        if (const auto body = parse_exim_body(data, id, wire)) require(body->size() <= size);
    for (const auto& [name, value] : parse_exim_answers(data)) require(!name.empty());
    for (const std::string& word : exim_list(data)) require(!word.empty());
    exim_login(data, "smart.test");
    return 0;
}
