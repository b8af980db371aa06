// Questions that need a look at the instance: a process for each, of a program that is run anew.
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

#include "base/error.h"
#include "base/io.h"
#include "base/program.h"
#include "base/text.h"
#include "console/helper.h"
#include "console/lookups.h"
#include "counts/protocol.h"

namespace relais::console {
namespace {

// Who waits for a mail server's console is patient; the mail is not.
constexpr int niceness = 5;

// Nothing of this process is in the other one's memory: it parses what roles and strangers wrote. The
// question is not in the arguments, which everybody on the machine can read; a tool is never asked with a
// secret in them.
[[noreturn]] void run(const control::Home& home, Fields words) {
    ::setenv("QMAILHOME", home.directory().c_str(), 1);
    words[0] = home.program(words[0]);
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    ::execv(arguments[0], arguments.data());
    log_line("unable to run " + words[0] + ": " + errno_text(errno));
    ::_exit(static_cast<int>(Exit::temporary));
}

void put(int fd, int place) {
    if (::dup2(fd, place) < 0) throw_errno("put in its place", "a descriptor");
}

// Memory with the question, to be read from its beginning.
Fd memory_of(const Question& question) {
    Question asked;
    asked.verb = question.verb;
    asked.arguments = question.arguments;
    Fd memory(::memfd_create("question", MFD_CLOEXEC));
    if (!memory) throw_errno("make", "memory for a question");
    write_all(memory.get(), encode(asked), Deadline::never());
    if (::lseek(memory.get(), 0, SEEK_SET) != 0) throw_errno("rewind", "a question");
    return memory;
}

}  // namespace

Fields tool_of(const Question& question) {
    const Fields& arguments = question.arguments;
    switch (question.verb) {
        case Verb::doctor:
            return {"qmailctl", "doctor"};
        case Verb::settings:
            return {"qmail-showctl"};
        case Verb::route:
            return {"route-explain", arguments[0]};
        case Verb::open:
            return {"open-smtp", "list"};
        case Verb::held:
            return {"qmail-counts", std::string(counts::held_logins)};
        case Verb::person:
            // A client of IPv6 is its /64 there, and any address of it names it.
            if (arguments[0] == "close")
                return {"open-smtp", "remove", arguments[1].substr(0, arguments[1].find('/'))};
            if (arguments[0] == "let") return {"qmail-counts", "--release=" + arguments[1]};
            return {"queue-list", "hold", "--login=" + arguments[1]};
        case Verb::relay: {
            Fields words = {"relay-explain", arguments[0]};
            if (!arguments[1].empty()) words.push_back("--from=" + arguments[1]);
            if (!arguments[2].empty()) words.push_back("--rcpt=" + arguments[2]);
            return words;
        }
        default:
            return {};
    }
}

void Helper::start(const Question& question, Answer answer) {
    if (question.verb == Verb::doctor && !doctor_.empty() &&
        Clock::now() - doctor_time_ < limits_.doctor_age) {
        answer.status = Status::done;
        answer.rows = doctor_;
        return send(answer);
    }
    if (jobs_.size() >= limits_.jobs)
        return refuse(std::move(answer), Status::busy, "too much is being asked at once: try again");
    if (question.verb == Verb::act) {
        std::string ids;
        for (std::size_t i = 1; i < question.arguments.size(); ++i) ids += " " + question.arguments[i];
        log_line(answer.name + ": " + question.arguments[0] + ids);
    }
    if (question.verb == Verb::person)
        log_line(answer.name + ": " + question.arguments[0] + " " + safe_for_log(question.arguments[1]));
    Pipe pipe = make_pipe();
    const pid_t pid = ::fork();
    if (pid < 0) return refuse(std::move(answer), Status::failed, "unable to fork: " + errno_text(errno));
    if (pid == 0) work(question, pipe.write.get());
    Job& job = jobs_[pid];
    job.answer = std::move(answer);
    job.verb = question.verb;
    job.in_words = !tool_of(question).empty();
    job.output = std::move(pipe.read);
    set_nonblocking(job.output.get(), true);
    loop_.add(job.output.get(), EPOLLIN, [this, pid](std::uint32_t) { on_output(pid); });
    const bool changes = question.verb == Verb::act || question.verb == Verb::person;
    job.timer = loop_.after(changes ? limits_.act_time : limits_.look_time, [this, pid] {
        jobs_.at(pid).timer = 0;
        ::kill(-pid, SIGKILL);
    });
}

void Helper::work(const Question& question, int output) {
    const pid_t helper = ::getppid();
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    EventLoop::restore_signals();
    channel_.reset();
    if (::nice(niceness) == -1) errno = 0;
    if (::getppid() != helper) ::_exit(1);
    try {
        put(output, STDOUT_FILENO);
        if (const Fields tool = tool_of(question); !tool.empty()) {
            put(output, STDERR_FILENO);
            run(home_, tool);
        }
        put(memory_of(question).get(), STDIN_FILENO);
        run(home_, {"qmail-console", std::string(look_option)});
    } catch (const std::exception& error) {
        log_line(std::string("warning: ") + error.what());
    }
    ::_exit(static_cast<int>(Exit::temporary));
}

void Helper::look_at_what_is_due() {
    loop_.after(limits_.due_pause, [this] { look_at_what_is_due(); });
    run_where("summary", {"qmail-summary", "--due"}, summary_);
    run_where("dmarcreports", {"dmarc-report", "send"}, reports_);
}

void Helper::run_where(std::string_view control_file, const Fields& tool, pid_t& running) {
    if (running != 0 || ::access(home_.control_file(control_file).c_str(), F_OK) != 0) return;
    const pid_t pid = ::fork();
    if (pid < 0) return log_line("warning: unable to fork for " + tool.front() + ": " + errno_text(errno));
    if (pid > 0) {
        running = pid;
        return;
    }
    // It may live on: what it has begun to send is noted, or it would be sent twice.
    ::setsid();
    EventLoop::restore_signals();
    channel_.reset();
    if (::nice(niceness) == -1) errno = 0;
    run(home_, tool);
}

void Helper::on_output(pid_t pid) {
    Job& job = jobs_.at(pid);
    std::array<char, io_buffer_size> buffer;
    const ssize_t size = ::read(job.output.get(), buffer.data(), buffer.size());
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (size > 0) job.found.append(buffer.data(), static_cast<std::size_t>(size));
    const bool too_long = job.found.size() > frame_limit - 4096;
    if (too_long) {
        ::kill(-pid, SIGKILL);
        job.found =
            job.in_words ? "there is too much of it\n" : pack_rows({{"failed", "there is too much of it"}});
    }
    if (size > 0 && !too_long) return;
    loop_.remove(job.output.get());
    job.output.reset();
    job.whole = true;
    finish(pid);
}

void Helper::reap() {
    for (pid_t* const pid : {&summary_, &reports_})
        if (*pid != 0 && ::waitpid(*pid, nullptr, WNOHANG) == *pid) *pid = 0;
    std::vector<pid_t> ended;
    for (auto& [pid, job] : jobs_)
        if (!job.ended && ::waitpid(pid, &job.status, WNOHANG) == pid) {
            job.ended = true;
            ended.push_back(pid);
        }
    for (const pid_t pid : ended) finish(pid);
}

void Helper::finish(pid_t pid) {
    Job& job = jobs_.at(pid);
    if (!job.whole || !job.ended) return;
    if (job.timer != 0) loop_.cancel(job.timer);
    Answer answer = std::move(job.answer);
    answer.status = Status::done;
    if (WIFSIGNALED(job.status)) {
        answer.status = Status::failed;
        answer.rows = {{"failed", "it took too long, or there was too much of it"}};
    } else if (job.in_words) {
        answer.rows = {{"text", job.found, std::to_string(WEXITSTATUS(job.status))}};
    } else if (auto rows = unpack_rows(job.found); rows && !rows->empty()) {
        answer.rows = *std::move(rows);
        if (!answer.rows.empty() && !answer.rows[0].empty() && answer.rows[0][0] == "failed")
            answer.status = Status::failed;
    } else {
        answer.status = Status::failed;
        answer.rows = {{"failed", "it ended before it had answered: the log says why"}};
    }
    if (job.verb == Verb::doctor && answer.status == Status::done) {
        doctor_ = answer.rows;
        doctor_time_ = Clock::now();
    }
    jobs_.erase(pid);
    send(answer);
}

}  // namespace relais::console
