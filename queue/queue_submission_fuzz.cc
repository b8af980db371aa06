// A submission as a hostile client may send it, through the code that qmail-queued runs: whatever is accepted
// lies whole in the queue; whatever is not leaves no file.
#include <sys/socket.h>
#include <sys/stat.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <vector>

#include "base/io.h"
#include "queue/receive.h"
#include "queue/store.h"

using namespace relais;
using namespace relais::queue;

namespace {

void require(bool condition) {
    if (!condition) std::abort();
}

// A queue in memory where there is one, for thousands of runs a second.
class Scratch {
  public:
    Scratch() {
        const bool memory = std::filesystem::is_directory("/dev/shm");
        std::string pattern = std::string(memory ? "/dev/shm" : "/tmp") + "/relais-fuzz-XXXXXX";
        if (::mkdtemp(pattern.data()) == nullptr) std::abort();
        directory_ = pattern;
        for (const std::string& path : queue_directories(home())) ::mkdir(path.c_str(), 0700);
        directories_ = std::make_unique<MessageDirectories>(home());
    }
    ~Scratch() {
        std::error_code ignored;
        std::filesystem::remove_all(directory_, ignored);
    }
    control::Home home() const { return control::Home(directory_); }
    const MessageDirectories& directories() const { return *directories_; }

  private:
    std::string directory_;
    std::unique_ptr<MessageDirectories> directories_;
};

SubmitAnswer run(const Scratch& scratch, Ledger& ledger, int socket, std::span<char> buffer) {
    FrameReader input(socket, buffer);
    FrameReader::Header header;
    const Deadline deadline = Deadline::in(Seconds(10));
    if (input.read_header(header, deadline) != FrameReader::Input::more || header.question) return {};
    MessageWriter writer(scratch.directories(), ledger, 0);
    return receive(input, {}, writer, {deadline, Seconds(10)}, header.extended);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const Scratch scratch;
    static Ledger ledger(1, 0);
    if (size < 1 || size > 60000) return 0;
    int ends[2];
    require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    Fd client(ends[0]);
    const Fd server(ends[1]);
    // The first octet chooses the buffer, so that groups also come in pieces.
    std::vector<char> buffer(8 + std::size_t{data[0]} * 16);
    if (size > 1)
        write_all(client.get(), {reinterpret_cast<const char*>(data) + 1, size - 1}, Deadline::never());
    client.reset();
    const SubmitAnswer answer = run(scratch, ledger, server.get(), buffer);
    const Store store(scratch.home());
    if (answer.code == SubmitCode::accepted) {
        StoredMessage message;
        require(store.load(answer.id, message, true) == Load::whole);
        store.remove(answer.id);
    }
    require(ledger.unfinished(0).id == 0);
    // Looking costs more than running: now and then is enough.
    static unsigned runs = 0;
    require(++runs % 64 != 0 || store.count() == 0);
    return 0;
}
