// queue_bench MODE CLIENTS SECONDS OCTETS: how many messages a second become durable in the queue of
// $QMAILHOME. MODE submit: by qmail-queued, which must run (CLIENTS processes, a connection for each message,
// as qmail-smtpd does); MODE write: the same files without it, in CLIENTS processes (the floor). Prints
// messages a second, and microseconds of CPU for each in the clients. bench/queue_bench.py sets everything
// up.
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <new>

#include "base/error.h"
#include "base/program.h"
#include "base/text.h"
#include "queue/client.h"
#include "queue/message_writer.h"

namespace {

using namespace relais;

struct Task {
    control::Home home = control::Home::from_environment();
    bool submit = false;
    std::size_t clients = 1;
    Deadline end = Deadline::never();
    std::string message;
    std::vector<std::string> recipients = {"recipient@example.net"};
};

void submit_one(const Task& task) {
    queue::Submission submission(task.home, queue::Door::network, Deadline::in(Seconds(60)));
    submission.write(task.message);
    const auto answer = submission.finish("sender@example.org", task.recipients);
    if (answer.code != queue::SubmitCode::accepted)
        throw Error(Reaction::temporary, queue::submit_text(answer.code, answer.text));
}

void write_one(const Task& task, const queue::MessageDirectories& directories, queue::Ledger& ledger,
               std::size_t slot) {
    queue::MessageWriter writer(directories, ledger, slot);
    writer.create();
    writer.add(task.message);
    writer.finish({}, queue::encode_submitted_envelope("sender@example.org", task.recipients));
}

std::uint64_t run_client(const Task& task, const queue::MessageDirectories& directories,
                         queue::Ledger& ledger, std::size_t slot) {
    std::uint64_t count = 0;
    for (; !task.end.passed(); ++count) {
        if (task.submit)
            submit_one(task);
        else
            write_one(task, directories, ledger, slot);
    }
    return count;
}

double cpu_seconds(const rusage& usage) {
    const auto seconds = [](const timeval& t) {
        return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

int work(const Arguments& arguments) {
    if (arguments.size() != 4) throw_permanent("usage: queue_bench submit|write CLIENTS SECONDS OCTETS");
    Task task;
    task.submit = arguments[0] == "submit";
    task.clients = static_cast<std::size_t>(parse_number(arguments[1]).value());
    const auto seconds = static_cast<long>(parse_number(arguments[2]).value());
    const auto octets = static_cast<std::size_t>(parse_number(arguments[3]).value());
    while (task.message.size() < octets)
        task.message += "A line of mail, as long as lines of mail often are in practice.\n";
    task.message.resize(octets);
    task.end = Deadline::in(Seconds(seconds));

    const queue::MessageDirectories directories(task.home);
    queue::Ledger ledger(task.clients, 0);
    void* shared = ::mmap(nullptr, sizeof(std::atomic<std::uint64_t>), PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) throw_errno("share", "memory");
    auto* total = new (shared) std::atomic<std::uint64_t>(0);
    for (std::size_t slot = 0; slot < task.clients; ++slot) {
        if (::fork() != 0) continue;
        *total += run_client(task, directories, ledger, slot);
        ::_exit(0);
    }
    int failed = 0;
    for (int status = 0; ::wait(&status) > 0;) failed += status != 0;
    rusage usage{};
    ::getrusage(RUSAGE_CHILDREN, &usage);
    const auto count = static_cast<double>(total->load());
    std::printf("%.0f %.1f\n", count / static_cast<double>(seconds), cpu_seconds(usage) * 1e6 / count);
    return failed;
}

}  // namespace

int main(int argc, char** argv) {
    return run_program("queue_bench", argc, argv, work);
}
