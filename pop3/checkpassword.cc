// checkpassword: finds out whether a login is right, and runs a program as that user if it is.
//
//   checkpassword PROGRAM [ARGUMENT...]      behind qmail-popup or anything else that speaks to password programs
//
// Trust: root, until the login was right; then the account's user for good. Descriptor 3 gives "user NUL
// password NUL timestamp NUL", 512 octets at most, from the network: it is not understood here but given to
// qmail-authd, together with the client's address, $TCPREMOTEIP. The answer says which account it is, and
// nothing more of it is believed: ids and home come from users/passwd.cdb or the system's users, and neither
// root nor a role of the instance is among them (auth/account_user.h). PROGRAM
// gets USER (the account, user@domain), HOME, SHELL, and MAILDIR if the account has a Maildir of its own, is
// in HOME, and has every other descriptor and variable as they were.
//
// $RELAIS_SERVICE names the service in the log (pop3). Exit codes: 1 the login is wrong; 2 misused; 111
// cannot be told now. Otherwise those of PROGRAM.
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "auth/account_user.h"
#include "auth/protocol.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/program.h"
#include "base/text.h"

namespace {

using namespace relais;

constexpr int credentials_fd = 3;
constexpr std::size_t credentials_limit = 512;
constexpr int wrong = 1;
constexpr int misused = 2;
constexpr int temporary = 111;
constexpr Seconds credentials_patience{60};

struct Credentials {
    std::array<char, credentials_limit + 1> octets{};
    std::size_t size = 0;
    ~Credentials() { ::explicit_bzero(octets.data(), octets.size()); }
};

// Reads to the end of descriptor 3 and closes it. False if there is none, or too much.
bool read_credentials(Credentials& credentials) {
    const Fd input(credentials_fd);
    try {
        while (credentials.size < credentials.octets.size()) {
            const std::size_t count =
                read_some(credentials_fd, std::span(credentials.octets).subspan(credentials.size),
                          Deadline::in(credentials_patience));
            if (count == 0) return credentials.size > 0;
            credentials.size += count;
        }
    } catch (const Error&) {
        // Not open, or nothing came.
    }
    return false;
}

// user, password and, where there is one, the time stamp. What follows a third NUL does not count.
std::optional<auth::Request> parse(const Credentials& credentials) {
    const std::vector<std::string_view> fields =
        split(std::string_view(credentials.octets.data(), credentials.size), '\0');
    if (fields.size() < 3) return std::nullopt;
    auth::Request request;
    request.user = fields[0];
    request.secret = fields[1];
    request.challenge = fields.size() > 3 ? fields[2] : std::string_view();
    return request;
}

[[noreturn]] void run(const Arguments& words) {
    std::vector<char*> arguments;
    for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    ::signal(SIGPIPE, SIG_DFL);
    ::execvp(arguments[0], arguments.data());
    throw_errno("run", words[0]);
}

int work(const Arguments& arguments) {
    if (arguments.empty()) {
        log_line("usage: checkpassword PROGRAM [ARGUMENT...]");
        return misused;
    }
    const control::Home home = control::Home::from_environment();
    auth::Answer account;
    {
        Credentials credentials;
        if (!read_credentials(credentials)) return misused;
        auto request = parse(credentials);
        if (!request) return misused;
        const std::string service = environment("RELAIS_SERVICE", "pop3");
        const std::string address = environment("TCPREMOTEIP", environment("TCP6REMOTEIP", ""));
        request->service = service;
        request->address = address;
        account = auth::ask(home, *request, Deadline::in(auth::login_patience));
    }
    if (account.result == auth::Result::refused) return wrong;
    if (account.result != auth::Result::right) {
        log_line("unable to check a password: " + account.text);
        return temporary;
    }
    try {
        auth::become_account(home, account.name);
        run(arguments);
    } catch (const Error& error) {
        log_line(std::string("fatal: ") + error.what());
        return temporary;
    }
}

}  // namespace

int main(int argc, char** argv) {
    return run_program("checkpassword", argc, argv, work);
}
