// The dialogue before the login with a client that says anything at all: it ends, and takes not one octet
// behind the login.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "base/error.h"
#include "base/fd.h"
#include "pop3/login.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace relais;
    constexpr std::size_t input_limit = 16384;  // fits into the socket
    if (size == 0 || size > input_limit) return 0;
    const unsigned settings = data[0];
    const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
    int both[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, both) != 0) std::abort();
    const Fd client(both[0]), server(both[1]), nothing(::open("/dev/null", O_WRONLY | O_CLOEXEC));
    if (!input.empty() && ::send(client.get(), input.data(), input.size(), 0) != std::ssize(input))
        std::abort();
    ::shutdown(client.get(), SHUT_WR);

    pop3::Login login(server.get(), nothing.get(), "mail.test", "<1.2@mail.test>", (settings & 1) != 0,
                      std::chrono::seconds(60));
    if ((settings & 2) != 0) login.refuse_passwords();
    if ((settings & 4) != 0) login.offer_tls([settings] { return (settings & 8) != 0; }, [] {});
    const auto credentials = login.run();

    std::string left(input.size(), '\0');
    const ssize_t count = ::recv(server.get(), left.data(), left.size(), MSG_DONTWAIT);
    left.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
    if (!input.ends_with(left)) std::abort();
    if (!credentials) return 0;
    const std::string_view taken = input.substr(0, input.size() - left.size());
    if (credentials->user.empty() || !taken.ends_with('\n')) std::abort();
    if (credentials->by_digest && (settings & 1) == 0) std::abort();
    if (!credentials->by_digest && (settings & 2) != 0 && !login.encrypted()) std::abort();
    if (taken.find(credentials->user) == std::string_view::npos ||
        taken.find(credentials->secret) == std::string_view::npos)
        std::abort();
    return 0;
}
