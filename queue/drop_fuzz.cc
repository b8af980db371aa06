// A file of the drop directory as a hostile user may write it, with the right checksum: what is taken in lies
// whole in the queue, and the file goes.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>

#include "base/io.h"
#include "control/owners.h"
#include "queue/drop.h"
#include "queue/drop_intake.h"
#include "queue/store.h"

using namespace relais;
using namespace relais::queue;

namespace {

void require(bool condition) {
    if (!condition) std::abort();
}

class Scratch {
  public:
    Scratch() {
        const bool memory = std::filesystem::is_directory("/dev/shm");
        std::string pattern = std::string(memory ? "/dev/shm" : "/tmp") + "/relais-fuzz-XXXXXX";
        if (::mkdtemp(pattern.data()) == nullptr) std::abort();
        directory = pattern;
        for (const std::string& path : queue_directories(home())) ::mkdir(path.c_str(), 0700);
        ::mkdir(home().path("control").c_str(), 0700);
        ::mkdir(drop_directory(home()).c_str(), 0700);
        std::ofstream owners(home().control_file("owners"));
        owners << "instance:user\n";
        for (const auto& row : control::roles) owners << row.name << ":1234:1234\n";
    }
    ~Scratch() {
        std::error_code ignored;
        std::filesystem::remove_all(directory, ignored);
    }
    control::Home home() const { return control::Home(directory); }
    std::string directory;
};

std::string whole(std::string_view octets) {
    std::string file = std::string(drop_magic).append(octets);
    Checksum sum;
    sum.update(file);
    return file + drop_checksum(sum);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const Scratch scratch;
    static const control::Home home = scratch.home();
    static const control::Owners owners = control::Owners::read_incomplete(home);
    static const MessageDirectories directories(home);
    static Ledger ledger(1, 0);
    static const int pipe = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (size < 1 || size > 60000) return 0;
    const std::string path = drop_directory(home) + "/x";
    // The first octet says whether head and checksum are right, as anybody can make them.
    const std::string_view octets(reinterpret_cast<const char*>(data) + 1, size - 1);
    Fd file(::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0640));
    write_all(file.get(), data[0] % 4 != 0 ? whole(octets) : std::string(octets), Deadline::never());
    const Fd directory(::open(drop_directory(home).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const Service service{home, owners, directories, ledger, pipe};
    const Intake intake = take_in(service, 0, directory.get(), {"x", 1234, std::move(file)});
    // What is no message stays for a while.
    require(intake == Intake::later || intake == Intake::incomplete || !std::filesystem::exists(path));
    require(ledger.unfinished(0).id == 0);
    const Store store(home);
    require(store.count() == (intake == Intake::done ? 1U : 0U));
    for (std::size_t split = 0; intake == Intake::done && split < split_count; ++split)
        for (const auto& entry : std::filesystem::directory_iterator(message_directory(home, split))) {
            const MessageId id = std::stoull(entry.path().filename());
            StoredMessage message;
            require(store.load(id, message, true) == Load::whole);
            require(message.envelope.uid == 1234);
            store.remove(id);
        }
    return 0;
}
