// vacation [-j] [-a ADDRESS] [-r DAYS] FILE, in a .qmail file, answers a message with the text of FILE: once
// in a week for each sender, and never to lists, programs, bounces or what may be forged (RFC 3834).
//
// Trust: run by qmail-local as the recipient, with no privilege of its own. Inputs: the message on descriptor
// 0 (a header of at most 1 MiB), FILE (256 KiB), FILE.answered, who has had an answer; SENDER, RECIPIENT, EXT
// and HOST. An answer has the null sender, so nothing answers it.
//
// Exit codes: 0 whatever came of it, in words on standard error: mail is never kept back for the want of an
// answer. 111 for what its owner has to mend: wrong usage, no FILE; the message waits.
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cstdlib>

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/io.h"
#include "base/printable.h"
#include "base/program.h"
#include "base/sys.h"
#include "base/text.h"
#include "base/time.h"
#include "family/autoreply.h"
#include "inject/options.h"
#include "inject/required.h"
#include "inject/submit.h"
#include "mail/header.h"

namespace {

using namespace relais;

constexpr std::size_t header_limit = std::size_t{1} << 20;
constexpr std::size_t text_limit = std::size_t{256} << 10;
constexpr std::size_t table_limit = std::size_t{2} << 20;
constexpr std::int64_t a_day = 86400;
constexpr std::uint64_t most_days = 3650;
constexpr Seconds patience{120};

struct Task {
    std::string file;
    bool anybody = false;  // also where none of the addresses is in To or Cc
    std::int64_t interval = 7 * a_day;
    std::string sender;
    std::vector<std::string> addresses;  // of whom it answers for
};

[[noreturn]] void throw_usage() {
    throw Error(Reaction::temporary, "usage: vacation [-j] [-a address] [-r days] file");
}

Task read_task(const Arguments& arguments) {
    Task task;
    inject::OptionReader options(arguments, "ja:r:");
    while (const auto option = options.next()) {
        const auto days = parse_number(options.value());
        if (*option == 'j')
            task.anybody = true;
        else if (*option == 'a')
            task.addresses.push_back(options.value());
        else if (*option == 'r' && days && *days <= most_days)
            task.interval = static_cast<std::int64_t>(*days) * a_day;
        else
            throw_usage();
    }
    if (options.rest().size() != 1 || options.rest()[0].empty()) throw_usage();
    task.file = options.rest()[0];
    task.sender = inject::required_variable("SENDER");
    task.addresses.emplace_back(inject::required_variable("RECIPIENT"));
    // In a virtual domain the public address is what stands behind its user's name.
    const char* rest = std::getenv("EXT");
    const char* host = std::getenv("HOST");
    if (rest != nullptr && host != nullptr && *rest != '\0')
        task.addresses.push_back(std::string(rest) + "@" + host);
    return task;
}

family::Fields read_fields(Deadline deadline) {
    using State = mail::HeaderReader::State;
    mail::HeaderReader reader(header_limit);
    std::vector<char> buffer(io_buffer_size);
    for (State state = State::more; state == State::more;) {
        const std::size_t count = read_some(STDIN_FILENO, buffer, deadline);
        state = count > 0 ? reader.add({buffer.data(), count}) : reader.finish();
    }
    return reader.fields();
}

// Held while one message is answered: two of one sender that come together get one answer.
Fd lock_table(const std::string& table, Deadline deadline) {
    const std::string path = table + ".lock";
    Fd lock{sys::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600)};
    if (!lock) throw_errno("open", path);
    while (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR) throw_errno("lock", path);
        if (deadline.passed())
            throw Error(Reaction::temporary, "unable to lock " + path + ": others have it");
        ::usleep(20'000);
    }
    return lock;
}

std::string answer(const Task& task, const std::string& text, Deadline deadline) {
    const family::Fields fields = read_fields(deadline);
    if (const auto why = family::reason_for_silence(fields, task.sender)) return "no answer: " + *why;
    const auto named = family::named_address(fields, task.addresses);
    if (!named && !task.anybody)
        return "no answer: none of " + task.addresses[0] + "'s addresses is in To or Cc";
    for (const std::string& own : task.addresses)
        if (equal_ignoring_case(own, task.sender)) return "no answer: it is from oneself";
    const std::string table = task.file + ".answered";
    const Fd lock = lock_table(table, deadline);
    const std::int64_t now = now_seconds();
    family::Answered answered(read_file(table, table_limit).value_or(""), now, task.interval);
    if (answered.has(task.sender)) return "no answer: its sender has had one";
    if (answered.is_full()) return "no answer: too many were answered lately";
    queue::Submission submission(control::Home::from_environment(), queue::Door::submit, deadline);
    submission.write(family::answer_to(
        fields, text,
        {named.value_or(task.addresses[0]), task.sender, now, static_cast<std::uint64_t>(::getpid())}));
    inject::finish(submission, "", {task.sender});
    if (task.interval > 0) {
        answered.add(task.sender, now);
        replace_file(table, answered.lines(), 0600);
    }
    return "answered: qp " + std::to_string(submission.qp());
}

int vacation(const Arguments& arguments) {
    const Task task = read_task(arguments);
    const auto text = read_file(task.file, text_limit);
    if (!text)
        throw Error(Reaction::temporary, "there is no " + task.file + ": write into it what is to be said");
    try {
        log_line(printable(answer(task, *text, Deadline::in(patience))));
    } catch (const Error& error) {
        log_line(std::string("no answer: ") + error.what());
    }
    return static_cast<int>(Exit::success);
}

}  // namespace

int main(int argc, char** argv) {
    return relais::run_program("vacation", argc, argv, vacation);
}
