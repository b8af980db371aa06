// Extensions as they come from clients, files and the environment: what is taken comes back the same.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "mail/envelope.h"

using namespace relais::mail;

namespace {

void require(bool condition) {
    if (!condition) std::abort();
}

void check(std::string_view data, std::size_t recipients) {
    const auto extension = decode_extension(data, recipients);
    if (!extension) return;
    require(extension->recipients.size() == recipients);
    const std::string again = encode_extension(extension->options, extension->recipients);
    if (again.empty()) return;
    const auto second = decode_extension(again, recipients);
    require(second && second->options == extension->options && second->recipients == extension->recipients);
    const auto said = extension_from_variable(extension_variable("a@b", again));
    require(said && said->sender == "a@b" && said->extension == again);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    const std::string_view data(reinterpret_cast<const char*>(bytes), size);
    for (const std::size_t recipients : {0U, 1U, 3U}) check(data, recipients);
    if (const auto said = extension_from_variable(data)) check(said->extension, 3);
    if (const auto notify = parse_notify(data)) require(parse_notify(notify_text(*notify)) == *notify);
    return 0;
}
