// The packet by which a process of qmail-queued's pool hands a connection over to its parent, which forks
// another one for it: a pool process may have been taken over. What has been received goes on where it was.
#include <sys/socket.h>

#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "queue/frame_reader.h"
#include "queue/worker.h"

using namespace relais;
using namespace relais::queue;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    const std::string_view data(reinterpret_cast<const char*>(bytes), size);
    const auto handover = decode_handover(data);
    if (!handover) return 0;
    if (encode_handover(*handover) != data || handover->received.size() > receive_buffer_size) std::abort();
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) std::abort();
    Fd client(ends[0]);
    const Fd server(ends[1]);
    client.reset();
    std::vector<char> buffer(handover->received.begin(), handover->received.end());
    buffer.resize(buffer.size() + 64);
    FrameReader input(server.get(), buffer, handover->received.size());
    FrameReader::Header header;
    if (input.read_header(header, Deadline::in(Seconds(10))) != FrameReader::Input::more) return 0;
    std::size_t taken = 0;
    for (int group = 0; group < 3 && !input.malformed(); ++group) {
        for (std::string_view part = input.take(); !part.empty(); part = input.take()) taken += part.size();
        if (!input.group_ended()) break;
        input.next_group();
    }
    if (taken > size) std::abort();
    return 0;
}
