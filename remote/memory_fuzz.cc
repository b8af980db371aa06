// What processes of the pool read that others may have left half written, or one that was taken over has
// written: the memory that they share, the tables of time-outs and of servers. Advice may be wrong; nothing
// else may.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "base/error.h"
#include "remote/shared_memory.h"
#include "remote/tcpto.h"

using namespace relais;
using namespace relais::remote;

namespace {

constexpr std::int64_t now = 1700000000;
constexpr std::string_view key = "there.test 192.0.2.1 may";

void read_table(std::string_view octets) {
    Fd fd(::memfd_create("tcpto", MFD_CLOEXEC));
    if (!fd || ::write(fd.get(), octets.data(), octets.size()) != std::ssize(octets)) std::abort();
    TimeoutTable table(std::move(fd));
    for (const char* address : {"192.0.2.1", "2001:db8::1", "x"}) {
        table.is_resting(address, now);
        table.note_timeout(address, now);
        table.note_success(address);
    }
    for (const auto& entry : table.entries())
        if (entry.address.empty() || entry.count < 0) std::abort();
}

// A head of our own, and anything behind it.
void read_servers(std::string_view octets) {
    Fd fd(::memfd_create("servers", MFD_CLOEXEC));
    const int number = fd.get();
    ServerMemory memory(std::move(fd));
    const off_t head = ServerMemory::record_size * ServerMemory::row_records;
    for (off_t row = 1; row <= off_t{ServerMemory::rows} && !octets.empty(); row += 64)
        if (::pwrite(number, octets.data(), octets.size(), row * head) < 0) std::abort();
    for (const char* name : {"mx.test", "a", ""}) {
        if (const auto known = memory.find(name)) tls_hold(*known, Seconds(86400), now);
        memory.note_tls_failure(name, now);
        memory.note_session(name, {}, true, now);
        if (memory.find(name)->encrypted > now + 3600) std::abort();
    }
}

// Where the octets of a session that was kept properly begin.
std::size_t place_of_session(SharedMemory& memory) {
    memory.put_session(key, "a session", now);
    const auto all = memory.octets();
    const std::string_view view(all.data(), all.size());
    const std::size_t at = view.find("a session");
    if (at == std::string_view::npos) std::abort();
    return at;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    if (size == 0 || size > 8192) return 0;
    const std::string_view input(reinterpret_cast<const char*>(bytes) + 1, size - 1);
    read_table(input);
    read_servers(input);
    static SharedMemory memory;
    const std::size_t session = place_of_session(memory);
    const auto all = memory.octets();
    // Its head is before it: version, times, size, key.
    const std::size_t at =
        std::min(session - std::min<std::size_t>(session, bytes[0]), all.size() - input.size());
    std::memcpy(all.data() + at, input.data(), input.size());
    const auto found = memory.session(key, now);
    if (found && found->size() > 8192) std::abort();
    memory.put_session(key, "another", now + 20);
    memory.note_slow("192.0.2.1", now);
    memory.is_slow("192.0.2.1", now);
    std::memset(all.data() + at, 0, input.size());
    std::memset(all.data() + session - 64, 0, 128);
    return 0;
}
