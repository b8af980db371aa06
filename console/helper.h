// The half of qmail-console that has rights: it keeps the sessions, decides what each question may have, and
// runs a process for it, a program anew, which becomes the role whose files it reads. It parses nothing but
// frames.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>

#include "auth/limits.h"
#include "auth/lines.h"
#include "base/event_loop.h"
#include "base/fd.h"
#include "console/accounts.h"
#include "console/protocol.h"
#include "console/sessions.h"
#include "control/home.h"
#include "control/owners.h"

namespace relais::console {

struct HelperLimits {
    std::size_t jobs = 4;  // processes at once; further questions are answered with busy
    std::chrono::milliseconds look_time{30'000};
    std::chrono::milliseconds act_time{120'000};  // of an act to 1000 messages, each synced
    std::chrono::seconds doctor_age{60};          // an older finding of doctor is not shown again
    std::chrono::minutes due_pause{10};  // between two questions whether a summary or a report is due
};

class Helper {
  public:
    // channel: a stream socket to the other half. The loop is stopped when that has gone.
    Helper(EventLoop& loop, Fd channel, control::Home home, control::Owners owners, HelperLimits limits = {});
    Helper(const Helper&) = delete;
    Helper& operator=(const Helper&) = delete;

  private:
    struct Job {
        Answer answer;  // all but what was found
        Verb verb = Verb::hello;
        Fd output;
        std::string found{};
        bool whole = false;     // its output has ended
        bool ended = false;     // it has
        bool in_words = false;  // a tool's output, else rows
        int status = 0;
        EventLoop::TimerId timer = 0;
    };

    void on_channel(std::uint32_t events);
    void handle(Question question);
    struct Login {
        Question question;
        Answer answer;
        auth::Asker asker;
    };
    void log_in(Question question, Answer answer);
    void judge(std::uint64_t id);
    void accept_login(std::uint64_t id, const Operator& account);
    void end_login(std::uint64_t id, Status status, std::string why);
    void log_in_once(const Question& question, Answer answer);
    // The session, as it still stands in users/operators; null: the answer says why not.
    Session* session_of(const Question& question, Answer& answer);
    void start(const Question& question, Answer answer);
    [[noreturn]] void work(const Question& question, int output);
    // qmail-summary --due and dmarc-report send, where control/summary and dmarcreports are; their exit is
    // their own matter.
    void look_at_what_is_due();
    void run_where(std::string_view control_file, const Fields& tool, pid_t& running);
    void on_output(pid_t pid);
    void reap();
    void finish(pid_t pid);
    void refuse(Answer answer, Status status, std::string why);
    void send(const Answer& answer);
    void flush();

    EventLoop& loop_;
    Fd channel_;
    control::Home home_;
    control::Owners owners_;
    HelperLimits limits_;
    std::string input_;
    std::string output_;
    Sessions sessions_;
    auth::LoginLimits guesses_;
    auth::Lines lines_;
    std::map<std::uint64_t, Login> logins_;  // that wait, or whose refusal is held back
    std::uint64_t next_login_ = 1;
    std::map<pid_t, Job> jobs_;
    pid_t summary_ = 0, reports_ = 0;  // qmail-summary and dmarc-report; 0: none runs
    Rows doctor_;                      // what it last found
    Clock::time_point doctor_time_{};
};

// The arguments of the tool that answers a question, its name first; nothing for one that a look-up answers.
Fields tool_of(const Question& question);

}  // namespace relais::console
