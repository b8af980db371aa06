// Messages from anybody through qmail-inject's rules: what leaves is a header and nothing else, blind copies
// are gone, and the envelope can carry every address.
#include <cstdint>
#include <cstdlib>

#include "base/error.h"
#include "base/text.h"
#include "inject/compose.h"
#include "mail/header.h"

namespace {

using namespace relais;

void must(bool holds) {
    if (!holds) std::abort();
}

void check_header(const std::string& header) {
    mail::HeaderReader reader(std::size_t{1} << 30);
    reader.add(header);
    reader.finish();
    must(reader.rest().empty());
    std::string fields;
    for (const std::string& field : reader.fields()) {
        const auto name = mail::field_name(field);
        must(name && !equal_ignoring_case(*name, "Bcc") && !equal_ignoring_case(*name, "Return-Path"));
        fields += field;
    }
    must(fields == header);
}

void check_address(const std::string& address) {
    must(address.find_first_of(std::string_view("\0\n", 2)) == std::string::npos);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const unsigned choice = data[0];
    mail::HeaderReader reader(std::size_t{1} << 20);
    reader.add({reinterpret_cast<const char*>(data) + 1, size - 1});
    reader.finish();

    inject::Settings settings;
    settings.rewriter = {"host", "example.org", "plus.example"};
    settings.id_host = "id.example.org";
    settings.address_comment = (choice & 1) != 0;
    settings.verp_per_recipient = (choice & 2) != 0;
    settings.followup_lists = {"list@x.example"};
    inject::Request request;
    request.source = static_cast<inject::RecipientSource>(choice >> 2 & 3);
    if (!reader.fields().empty()) settings.name = reader.fields().front();
    try {
        const inject::Composed composed = compose(reader.fields(), request, settings);
        check_header(composed.header);
        check_address(composed.sender);
        for (const std::string& recipient : composed.recipients) check_address(recipient);
    } catch (const Error& error) {
        must(error.reaction() == Reaction::permanent);
    }
    return 0;
}
