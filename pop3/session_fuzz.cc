// A session after the login, with a client that says anything. What must be true: an end, and no message is
// gone that QUIT has not removed.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cctype>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "pop3/maildir.h"
#include "pop3/session.h"
#include "pop3/test_maildir.h"

namespace {

using namespace relais;

constexpr const char* names[] = {"new/1.a", "cur/2.b:2,S", "new/3.c,W=40"};

// In the beginning of each run, in both directories or under another flag after one.
void fill(pop3::TestMaildir& maildir) {
    std::filesystem::remove_all(maildir.path() + "/cur");
    std::filesystem::remove_all(maildir.path() + "/new");
    std::filesystem::create_directory(maildir.path() + "/cur");
    std::filesystem::create_directory(maildir.path() + "/new");
    std::int64_t time = 1000;
    for (const char* name : names) maildir.add(name, "Subject: x\n\n.dot\nline\n", ++time);
}

std::size_t count(const pop3::TestMaildir& maildir) {
    std::size_t found = 0;
    for (const char* part : {"/new", "/cur"})
        for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(maildir.path() + part))
            ++found;
    return found;
}

bool says_quit(std::string_view input) {
    std::string lower(input);
    for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return lower.find("quit") != std::string::npos;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static pop3::TestMaildir directory;
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    fill(directory);
    const Fd in(::memfd_create("input", MFD_CLOEXEC)), out(::open("/dev/null", O_WRONLY | O_CLOEXEC));
    if (!in || ::write(in.get(), input.data(), input.size()) != std::ssize(input)) std::abort();
    ::lseek(in.get(), 0, SEEK_SET);
    pop3::Maildir maildir(directory.path());
    pop3::Session(in.get(), out.get(), maildir, std::chrono::seconds(10)).run();
    if (!says_quit(input) && count(directory) != std::size(names)) std::abort();
    return 0;
}
