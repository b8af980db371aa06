#include "pop3/login.h"

#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/error.h"
#include "base/io.h"
#include "base/time.h"
#include "pop3/settings.h"

namespace relais::pop3 {
namespace {

// Of a line that is too long: a client that sends more than that is none.
constexpr std::size_t skip_limit = 64 * 1024;

}  // namespace

std::optional<std::string> LineTaker::take(Deadline deadline) {
    std::string line;
    std::size_t skipped = 0;
    while (skipped <= skip_limit && take_some(line, deadline)) {
        if (line.ends_with('\n')) {
            line.pop_back();
            if (skipped > 0) line.resize(line_limit + 1);
            return line;
        }
        if (line.size() <= line_limit + 1) continue;
        skipped += line.size() - line_limit - 1;
        ::explicit_bzero(line.data() + line_limit + 1, line.size() - line_limit - 1);
        line.resize(line_limit + 1);
    }
    return std::nullopt;
}

bool LineTaker::take_some(std::string& line, Deadline deadline) {
    if (!wait_readable(fd_, deadline)) return false;
    std::array<char, 512> seen{};
    std::size_t wanted = 1;
    if (is_socket_) {
        const ssize_t size = ::recv(fd_, seen.data(), seen.size(), MSG_PEEK);
        if (size < 0 && errno == EINTR) return true;
        if (size < 0 && errno != ENOTSOCK) return false;
        if (size == 0) return false;
        is_socket_ = size > 0;
        if (is_socket_) {
            const std::string_view text(seen.data(), static_cast<std::size_t>(size));
            wanted = std::min(text.find('\n'), text.size() - 1) + 1;
        }
    }
    const std::size_t count = read_some(fd_, std::span(seen).first(wanted), deadline);
    line.append(seen.data(), count);
    return count > 0;
}

std::string new_challenge(std::string_view host) {
    std::uint64_t random = 0;
    if (::getrandom(&random, sizeof random, 0) != sizeof random) throw_errno("get", "random octets");
    return "<" + std::to_string(::getpid()) + "." + std::to_string(now_microseconds()) + "." +
           std::to_string(random) + "@" + std::string(host) + ">";
}

std::optional<Credentials> Login::run() {
    say("+OK " + (apop_ ? challenge_ : host_ + " POP3"));
    // Half an hour of patience would let a hundred silent clients keep everybody out.
    const Deadline last = Deadline::in(std::min<std::chrono::seconds>(timeout_, std::chrono::minutes(5)));
    while (!last.passed()) {
        auto line = taker_.take(last);
        if (!line) return std::nullopt;
        if (line->ends_with('\r')) line->pop_back();
        const Next next = line->size() > line_limit ? bad("line too long") : handle(parse_command(*line));
        ::explicit_bzero(line->data(), line->size());
        if (next == Next::credentials) return std::move(credentials_);
        if (next == Next::close) return std::nullopt;
    }
    return std::nullopt;
}

Login::Next Login::handle(const Command& command) {
    const std::string& verb = command.verb;
    if (verb == "QUIT") {
        say("+OK");
        return Next::close;
    }
    if (verb == "CAPA") {
        say(std::string("+OK what there is\r\n") + (start_tls_ ? "STLS\r\n" : "") + "TOP\r\n" +
            (passwords_ ? "USER\r\n" : "") + "UIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\n" +
            (utf8_ ? "UTF8\r\n" : "") + "EXPIRE NEVER\r\nIMPLEMENTATION relais\r\n.");
        return Next::go_on;
    }
    if (verb == "STLS") return start_tls();
    // Messages go out as they were stored, whatever is said here.
    if (verb == "UTF8" && utf8_) {
        say("+OK UTF8 enabled");
        return Next::go_on;
    }
    if (!passwords_ && (verb == "USER" || verb == "PASS"))
        return bad("passwords are not taken in clear from there");
    if (verb == "USER") {
        if (command.argument.empty()) return bad("USER takes a name");
        credentials_.user = command.argument;
        say("+OK");
        return Next::go_on;
    }
    if (verb == "PASS") {
        if (credentials_.user.empty()) return bad("USER first");
        credentials_.secret = command.argument;
        return Next::credentials;
    }
    if (verb == "APOP") {
        if (!apop_) return bad("APOP is not offered");
        const auto pair = parse_apop(command.argument);
        if (!pair) return bad("APOP takes a name and a digest");
        credentials_ = {std::string(pair->name), std::string(pair->digest), true};
        return Next::credentials;
    }
    return bad("log in first");
}

// Nothing was read beyond the command's line; what a client has sent after it in clear meets the handshake,
// and ends it.
Login::Next Login::start_tls() {
    if (encrypted_) return bad("TLS is on already");
    if (!start_tls_) return bad("STLS is not offered");
    if (!prepare_tls_()) return bad("[SYS/TEMP] TLS is not available now, try again later");
    say("+OK ready for tls");
    start_tls_();
    set_encrypted();
    credentials_ = {};
    bad_commands_ = 0;
    return Next::go_on;
}

Login::Next Login::bad(std::string_view why) {
    say("-ERR " + std::string(why));
    return ++bad_commands_ >= bad_commands_limit ? Next::close : Next::go_on;
}

void Login::say(std::string_view text) {
    write_all(output_, std::string(text) + "\r\n", Deadline::in(timeout_));
}

}  // namespace relais::pop3
