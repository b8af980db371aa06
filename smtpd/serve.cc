#include "smtpd/serve.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>

#include "base/error.h"
#include "base/io.h"
#include "base/privilege.h"
#include "base/program.h"
#include "control/cages.h"
#include "control/owners.h"
#include "metrics/count.h"
#include "net/resolver_protocol.h"
#include "opensmtp/entry.h"
#include "send/turn_protocol.h"

namespace relais::smtpd {
namespace {

// For a qmail-send that has more to do.
constexpr Seconds turn_patience{5};

}  // namespace

void tell(const Event& event, trace::Client* trace) {
    log_event(event);
    // Notices are about no message.
    if (trace == nullptr || event.name() == "text") return;
    trace->put(event);
    trace->flush();
}

std::unique_ptr<trace::Client> trace_client(const control::Home& home) {
    return std::make_unique<trace::Client>(
        home, "trace-smtp", [](std::size_t records) { metrics::count("smtp.trace_lost", records); });
}

bool serve(const Surroundings& here, int in, int out, const policy::Client& client, Beginning beginning,
           bool in_a_crowd) {
    Channel channel(in, out, here.settings.timeout);
    KeydEncryption encryption(here.tls, in, here.settings.timeout);
    AuthdAuthority authority(here.home, client.ip, here.known);
    Session session(
        channel, client, here.settings, here.policy, [&here] { return open_queue(here.home, here.filters); },
        [&here](const Event& event) { tell(event, here.trace); });
    session.set_authority(authority);
    session.set_encryption(encryption);
    session.set_meet(here.meet);
    session.set_turns([&here](std::string_view domain) {
        try {
            send::ask_for_turn(here.home, domain, Deadline::in(turn_patience));
            return true;
        } catch (const Error&) {
            return false;
        }
    });
    net::Resolver resolver(here.home);
    authres::ResolverDns dns(resolver);
    session.set_dns(dns);
    milter::Milters milters(here.home);
    if (here.settings.milters) session.set_milters(milters);
    session.set_command_timeout(here.settings.patience(in_a_crowd));
    session.run(beginning);
    return !session.spent();
}

void serve_standalone(const control::Home& home, Beginning beginning) {
    // Other processes of this user must not look into the memory of this one.
    ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    // Refused when this is no TCP socket: then there is nothing to set.
    const int on = 1;
    ::setsockopt(STDOUT_FILENO, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    Settings settings;
    try {
        // tcpserver -u has done this already, where it was told to.
        if (::geteuid() == 0) control::become(control::Owners::read(home), control::Role::qmaild);
        settings = Settings::read(home);
    } catch (const Error&) {
        write_all(STDOUT_FILENO, "421 unable to read controls (#4.3.0)\r\n", Deadline::in(Seconds(10)));
        throw;
    }
    metrics::open_page(home, control::Role::qmaild);
    opensmtp::Moment::now();  // the boot id is not to be had later
    // As the listener's children are; a program that $QMAILQUEUE names would be confined with it.
    if (std::getenv("QMAILQUEUE") == nullptr)
        control::enter(control::smtpd_alone_cage, home, policy::Policy::readable_places(home));
    policy::Policy policy(home);
    keyd::ServerTls tls(home);
    tls.set_log([](const std::string& trouble) { log_line("TLS is not offered: " + trouble); });
    const KnownOffers nothing;
    log_as_json(settings.log_json);
    const auto trace = trace_client(home);
    serve({home, settings, policy, tls, nothing, {}, -1, settings.keep_trace ? trace.get() : nullptr},
          STDIN_FILENO, STDOUT_FILENO, policy::Client::from_environment(), beginning);
}

}  // namespace relais::smtpd
