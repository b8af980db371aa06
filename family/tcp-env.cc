// tcp-env [-rR] [-t seconds] program [argument...] says in variables what TCP connection its standard input
// is, and runs the program: what inetd needs before qmail-smtpd. -R does not ask the other host for
// TCPREMOTEINFO, -t says how long it has (default: 30 seconds). Where PROTO is already TCP or TCP6 the
// variables are left alone.
//
// Trust: runs as whoever inetd says, with no privilege of its own. Inputs: the addresses of the connection,
// names from DNS or /etc/hosts, the other host's answer about its user: all but the addresses are what
// strangers say.
//
// Exit codes: those of the program; 100 wrong usage; 111 the input is no TCP connection, or the program
// cannot be run.
#include <netdb.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <optional>

#include "base/error.h"
#include "base/text.h"
#include "family/ident.h"
#include "inject/child.h"
#include "inject/options.h"
#include "net/socket.h"

namespace {

using namespace relais;

struct Options {
    bool ask_ident = true;
    std::chrono::seconds ident_time{30};
    Arguments command;
};

Options read_options(const Arguments& arguments) {
    constexpr const char* usage = "usage: tcp-env [ -rR ] [ -t seconds ] program [ arg ... ]";
    Options result;
    inject::OptionReader options(arguments, "rRt:");
    while (const auto option = options.next()) {
        const auto seconds = *option == 't' ? parse_number(options.value()) : std::nullopt;
        if (*option == 't' && seconds && *seconds <= 86400)
            result.ident_time = std::chrono::seconds(*seconds);
        else if (*option == 'r' || *option == 'R')
            result.ask_ident = *option == 'r';
        else
            throw_permanent(usage);
    }
    result.command = options.rest();
    if (result.command.empty()) throw_permanent(usage);
    return result;
}

using GetName = int (*)(int, sockaddr*, socklen_t*);

net::SocketAddress end_of_connection(GetName get_name) {
    net::SocketAddress address;
    if (get_name(STDIN_FILENO, address.get(), &address.size) != 0)
        throw_errno("find the TCP connection on", "standard input");
    return address;
}

std::optional<std::string> name_of(const net::SocketAddress& address) {
    std::array<char, NI_MAXHOST> name{};
    if (::getnameinfo(address.get(), address.size, name.data(), name.size(), nullptr, 0, NI_NAMEREQD) != 0)
        return std::nullopt;
    return lower(name.data());
}

// An IPv6 connection has the variables of both kinds, as from servers that know IPv6.
void set(bool v6, const std::string& name, const std::optional<std::string>& value) {
    for (const std::string prefix : {"TCP", "TCP6"}) {
        const std::string variable = prefix + name;
        if (value && (v6 || prefix == "TCP"))
            ::setenv(variable.c_str(), value->c_str(), 1);
        else
            ::unsetenv(variable.c_str());
    }
}

void set_variables(const Options& options) {
    const net::SocketAddress local_address = end_of_connection(::getsockname);
    const net::SocketAddress remote_address = end_of_connection(::getpeername);
    const net::Endpoint local = net::to_endpoint(local_address);
    const net::Endpoint remote = net::to_endpoint(remote_address);
    const bool v6 = remote.is_v6();
    ::setenv("PROTO", v6 ? "TCP6" : "TCP", 1);
    set(v6, "LOCALIP", local.ip);
    set(v6, "LOCALPORT", std::to_string(local.port));
    set(v6, "LOCALHOST", name_of(local_address));
    set(v6, "REMOTEIP", remote.ip);
    set(v6, "REMOTEPORT", std::to_string(remote.port));
    set(v6, "REMOTEHOST", name_of(remote_address));
    set(v6, "REMOTEINFO",
        options.ask_ident ? family::ask_ident(local, remote, options.ident_time) : std::nullopt);
}

int tcp_env(const Arguments& arguments) {
    const Options options = read_options(arguments);
    const std::string proto = environment("PROTO", "");
    if (proto != "TCP" && proto != "TCP6") set_variables(options);
    inject::become_command(options.command);
}

}  // namespace

int main(int argc, char** argv) {
    return relais::run_program("tcp-env", argc, argv, tcp_env);
}
