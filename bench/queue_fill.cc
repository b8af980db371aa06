// queue_fill COUNT AGE SPAN OCTETS SENDER RECIPIENT...: puts COUNT messages into the queue of $QMAILHOME,
// straight in the format of queue/format.h, with one sync for all: what qmail-queued would have written, and
// what qmail-send would have noted after a first try. The oldest was born AGE seconds ago, the others are
// spread over the SPAN seconds after it. A % in a recipient stands for the number of the message, a ~ for one
// of a thousand numbers. Nothing else may write into the queue meanwhile, and nobody may have accepted mail
// for it that is younger. As root it becomes qmailq. Exit codes: 0, 100 for wrong arguments, 111 when the
// disk refuses.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "base/error.h"
#include "base/io.h"
#include "base/program.h"
#include "base/text.h"
#include "base/time.h"
#include "control/owners.h"
#include "queue/recovery.h"
#include "queue/store.h"

namespace {

using namespace relais;

constexpr std::uint64_t domains = 1000;

struct Task {
    std::uint64_t count = 0, age = 0, span = 0, octets = 0;
    std::string sender;
    std::vector<std::string> recipients;
};

std::string numbered(std::string text, std::uint64_t number) {
    const auto replace = [&text](char mark, std::uint64_t by) {
        const std::size_t at = text.find(mark);
        if (at != std::string::npos) text.replace(at, 1, std::to_string(by));
    };
    replace('%', number);
    replace('~', number % domains);
    return text;
}

queue::Status tried_once(std::int64_t when) {
    queue::Status status;
    status.tries = 1;
    status.last_try = when;
    status.last_error = "Sorry, I wasn't able to establish an SMTP connection. (#4.4.1)";
    return status;
}

std::string file_of(const Task& task, queue::MessageId id, std::uint64_t number) {
    std::string file = "Received: (queue_fill " + std::to_string(number) + ")\nSubject: waits\n\n";
    while (file.size() + 2 < task.octets)
        file += "A line of mail, as long as lines of mail often are in practice.\n";
    if (file.size() > task.octets) file.resize(task.octets - 1);
    if (file.back() != '\n') file += '\n';
    const std::uint64_t message_size = file.size();
    queue::Envelope envelope;
    envelope.sender = task.sender;
    for (const std::string& recipient : task.recipients)
        envelope.recipients.push_back({numbered(recipient, number), queue::Mark::to_do, 0});
    const std::string encoded = queue::encode_envelope(envelope);
    queue::Checksum sum;
    file += encoded;
    sum.update(file);
    file += queue::encode_status(tried_once(static_cast<std::int64_t>(id / 1'000'000)));
    return file + queue::encode_footer({message_size, encoded.size(), sum.value()});
}

int work(const Arguments& arguments) {
    if (arguments.size() < 6) throw_permanent("usage: queue_fill COUNT AGE SPAN OCTETS SENDER RECIPIENT...");
    const auto number = [&](std::size_t at) {
        const auto value = parse_number(arguments[at]);
        if (!value) throw_permanent("not a number: " + std::string(arguments[at]));
        return *value;
    };
    Task task{number(0), number(1), number(2), number(3), std::string(arguments[4]), {}};
    task.recipients.assign(arguments.begin() + 5, arguments.end());
    const auto home = control::Home::from_environment();
    control::become(control::Owners::read(home), control::Role::qmailq);
    ::umask(007);

    const std::uint64_t first = now_microseconds() - task.age * 1'000'000;
    const std::uint64_t step = std::max<std::uint64_t>(
        queue::split_count, task.span * 1'000'000 / std::max<std::uint64_t>(1, task.count));
    queue::MessageId last = 0;
    for (std::uint64_t i = 0; i < task.count; ++i) {
        // One more for each: a step that the number of directories divides would fill only some of them.
        const queue::MessageId id = first + i * step + i % queue::split_count;
        last = id;
        const std::string path = queue::message_path(home, id);
        const Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0660));
        if (!file) throw_errno("create", path);
        write_all(file.get(), file_of(task, id, i), Deadline::never());
    }
    // Without it qmail-queued would look at each of them when it starts, and sync it.
    const Fd queue(::open(queue::message_directory(home, 0).c_str(), O_RDONLY | O_CLOEXEC));
    if (!queue || ::syncfs(queue.get()) != 0) throw_errno("sync", "the queue");
    queue::write_checkpoint(home, last + 1);
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    return run_program("queue_fill", argc, argv, work);
}
