// The memory that the processes of a pool share, and the table of time-outs, with any octets at all: advice, which
// may be wrong, but nothing else.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "base/error.h"
#include "remote/shared_memory.h"
#include "remote/tcpto.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace relais;
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    constexpr std::int64_t now = 1'700'000'000;
    Fd file(::memfd_create("tcpto", MFD_CLOEXEC));
    if (!file || ::write(file.get(), data, size) != static_cast<ssize_t>(size)) std::abort();
    remote::TimeoutTable table(std::move(file));
    for (const char* address : {"192.0.2.1", "2001:db8::1", "no address"}) {
        static_cast<void>(table.is_resting(address, now));
        table.note_timeout(address, now);
        table.note_success(address);
    }
    try {
        if (table.entries().size() > size / 32 + 3) std::abort();
    } catch (const Error&) {
        return 0;
    }
    remote::SharedMemory memory;
    memory.put_session("key", "session", now);
    memory.note_slow("192.0.2.1", now);
    const std::span<char> octets = memory.octets();
    // All over it, for it is large.
    if (!input.empty())
        for (std::size_t at = 0; at < octets.size(); at += 1 + octets.size() / 64)
            std::copy_n(input.data(), std::min(input.size(), octets.size() - at),
                        octets.begin() + static_cast<std::ptrdiff_t>(at));
    for (const char* key : {"key", "other"}) {
        const auto session = memory.session(key, now);
        if (session && session->size() > octets.size()) std::abort();
        memory.put_session(key, "another", now + 20);
    }
    static_cast<void>(memory.is_slow("192.0.2.1", now));
    return 0;
}
