// qmail-remote: hands one message to a domain's mail server, by SMTP.
//
//   qmail-remote host sender recipient...      the message on descriptor 0
//
// By hand; qmail-rspawn runs the same code in processes of its own, without this program. It trusts its
// arguments and control/, not the message, and nothing that DNS or a server says. Started as root it becomes
// qmailr.
//
// Exit code: always 0. What became of the message is on standard output: one report for each recipient that
// was asked about, then one for the message, each ended by NUL (qmail-remote.8).

#include <unistd.h>

#include "base/error.h"
#include "base/idna.h"
#include "base/io.h"
#include "base/program.h"
#include "control/cages.h"
#include "control/hide_arguments.h"
#include "control/owners.h"
#include "remote/delivery.h"

namespace {

using namespace relais;

void become_remote(const control::Home& home, remote::TimeoutTable& timeouts, remote::ServerMemory& servers) {
    if (::geteuid() != 0) return;
    const control::Owners owners = control::Owners::read(home);
    const control::Owner owner = owners.of(control::Role::qmailr);
    timeouts.give_to(owner.uid, owner.gid);
    servers.give_to(owner.uid, owner.gid);
    control::become(owners, control::Role::qmailr);
}

// Reads what is read of control/, and confines this process, which may open nothing there any more. Returns
// the one password that the message needs. Throws Error if the files cannot be read.
Secret prepare(const control::Home& home, remote::SettingsFiles& files, const remote::Envelope& envelope) {
    const remote::Settings& settings = files.current();
    const remote::Route route = remote::route_of(settings, envelope.sender, envelope.host);
    Secret password =
        route.credentials ? remote::password_of(home, route, envelope.sender, envelope.host) : Secret();
    files.keep();
    control::enter(control::remote_cage, home, remote::authority_files(home, settings));
    return password;
}

remote::Result deliver(const Arguments& arguments) {
    remote::Result result;
    if (arguments.size() < 3) {
        result.message = {remote::Letter::permanent, "I (qmail-remote) was invoked improperly. (#5.3.5)\n"};
        return result;
    }
    try {
        const control::Home home = control::Home::from_environment();
        remote::TimeoutTable timeouts = remote::TimeoutTable::open(home);
        const remote::MessageInput input = remote::message_input(STDIN_FILENO);
        remote::ServerMemory servers = remote::ServerMemory::open(home);
        become_remote(home, timeouts, servers);
        remote::Envelope envelope{arguments[0], arguments[1], {arguments.begin() + 2, arguments.end()}};
        if (envelope.host.ends_with('.')) envelope.host.pop_back();
        envelope.host = dns_spelling(envelope.host);
        remote::SettingsFiles settings(home, remote::Passwords::forget);
        Secret password;
        try {
            password = prepare(home, settings, envelope);
        } catch (const Error& error) {
            result.message = remote::cannot_read_control(error.what());
            return result;
        }
        envelope.password = &password;
        net::Resolver resolver(home);
        remote::Message message(input.fd, input.offset, input.size);
        remote::SharedMemory memory;
        memory.set_servers(std::move(servers));
        remote::Delivery delivery(home, settings, resolver, timeouts, memory);
        return delivery.deliver(envelope, message);
    } catch (const std::exception& error) {
        result.message = remote::system_failure(error.what());
        return result;
    }
}

}  // namespace

int main(int argc, char** argv) {
    return run_program("qmail-remote", argc, argv, [](const Arguments& arguments) {
        control::hide_arguments("qmail-remote");
        write_all(STDOUT_FILENO, remote::classic_output(deliver(arguments)), Deadline::never());
        return static_cast<int>(Exit::success);
    });
}
