// qmail-send: decides which message of the queue is tried when, gives orders to qmail-lspawn and
// qmail-rspawn, marks what they report, bounces what failed, removes what is done, and writes the log.
//
// Started by qmail-start as qmails, with the descriptors of start/descriptors.h; its argument says which
// retired spawners still have deliveries of a qmail-send before it. No network, no user's code. It trusts
// qmail-queued's files as far as their checksums, a spawner's report about deliveries that run there, and
// those who can open sockets/send-control with everything. Its children wait for the disk and for
// qmail-queued (send/slow_work.h). SIGHUP: reread control files; SIGALRM: try everything now; SIGTERM: exit
// when the running deliveries have ended, or another qmail-send takes them over (send/control_protocol.h,
// "handover").
// Exit codes: 0 after SIGTERM, 111 when a spawner has ended or for temporary failures, 100 wrong owners or
// control files.
#include "base/error.h"
#include "base/file.h"
#include "base/program.h"
#include "control/cages.h"
#include "control/home.h"
#include "control/owners.h"
#include "keyd/mail_token.h"
#include "metrics/count.h"
#include "send/daemon.h"
#include "send/signing.h"
#include "start/descriptors.h"

namespace {

using namespace relais;
using control::Home;

constexpr std::size_t passwd_limit = std::size_t{8} << 20;

int work(const Arguments& arguments) {
    std::string retired = arguments.empty() ? "" : arguments[0];
    const bool has_secret = retired.ends_with(start::send_token_secret);
    if (has_secret) retired.pop_back();
    if (arguments.size() > 1 || retired.find_first_not_of("lr") != std::string::npos)
        throw_permanent("usage: qmail-send [lr...][s] (started by qmail-start)");
    const Home home = Home::from_environment();
    control::become(control::Owners::read(home), control::Role::qmails);

    std::vector<int> channels = {start::send_hint_pipe, start::send_local_channel, start::send_remote_channel,
                                 start::send_control_socket};
    for (std::size_t i = 0; i < retired.size(); ++i)
        channels.push_back(start::send_retired + static_cast<int>(i));
    std::string secret;
    if (has_secret) {
        const Fd file(start::send_retired + static_cast<int>(retired.size()));
        secret = keyd::read_token_secret(file.get());
    }
    send::Signing signing(home, std::move(secret), read_file("/etc/passwd", passwd_limit).value_or(""));
    const auto confine_child = [&] { control::enter(control::send_cage, home); };
    const auto fork_workers = [&](std::size_t count, const char* name, const send::SlowWorker::Work& work) {
        std::vector<send::SlowWorker> workers;
        for (std::size_t i = 0; i < count; ++i) {
            workers.emplace_back(name, channels, confine_child, work);
            // One that has the way to another would keep it from seeing the end of qmail-send.
            channels.push_back(workers.back().descriptor());
        }
        return workers;
    };
    auto recorders = fork_workers(send::recorder_count, "qmail-send-recorder", send::record_work(home));
    auto bouncers = fork_workers(send::bouncer_count, "qmail-send-bouncer", send::bounce_work(home));
    metrics::open_page(home, control::Role::qmails);
    control::enter(control::send_cage, home);
    return send::Daemon(home, recorders, bouncers, retired, signing).run();
}

}  // namespace

int main(int argc, char** argv) {
    return run_program("qmail-send", argc, argv, work);
}
