// The octets of a cdb: a file may be damaged, or another's. The first octet says how long the key is that is
// looked for, which follows; the rest is the file. What is found must lie in it.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/cdb.h"
#include "base/error.h"
#include "base/fd.h"

using namespace relais;

namespace {

// No record can be in the file more often than there are octets.
void visit_all(const CdbReader& reader, std::size_t size) {
    std::size_t records = 0;
    reader.for_each([&](std::string_view key, std::string_view data) {
        if (++records > size || key.size() + data.size() > size) std::abort();
        // All of it can be read.
        unsigned sum = 0;
        for (const std::string_view part : {key, data})
            for (const char c : part) sum |= static_cast<unsigned char>(c);
        if (sum > 255) std::abort();
    });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    if (size == 0 || size > 65536) return 0;
    const std::string_view input(reinterpret_cast<const char*>(bytes) + 1, size - 1);
    const std::string_view key = input.substr(0, bytes[0]), file = input.substr(key.size());
    const Fd fd(::memfd_create("cdb", MFD_CLOEXEC));
    if (!fd || ::write(fd.get(), file.data(), file.size()) != std::ssize(file)) std::abort();
    try {
        const CdbReader reader("/proc/self/fd/" + std::to_string(fd.get()));
        for (const std::string_view wanted : {key, std::string_view("anna"), std::string_view()}) {
            const auto found = reader.find(wanted);
            if (found && found->size() > file.size()) std::abort();
        }
        visit_all(reader, file.size());
    } catch (const Error&) {
    }
    return 0;
}
