// The process that answers one question, in its cage.
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/error.h"
#include "base/io.h"
#include "base/program.h"
#include "console/lookups.h"
#include "control/cages.h"
#include "control/owners.h"
#include "queue/change.h"
#include "send/control_protocol.h"

namespace relais::console {
namespace {

constexpr Seconds patience{30};
constexpr Seconds sender_patience{10};
// Of each text; lines beyond are left out.
constexpr std::size_t sender_text_limit = std::size_t{64} << 10;

bool is_about_trace(Verb verb) {
    return verb == Verb::message || verb == Verb::refusals || verb == Verb::destinations ||
           verb == Verb::people;
}

Rows look(const control::Home& home, const Question& question, const std::optional<SenderTexts>& sender) {
    switch (question.verb) {
        case Verb::queue:
            return queue_rows(home, question.arguments);
        case Verb::matching:
            return hit_rows(home, {}, question.arguments);
        case Verb::named:
            return hit_rows(home, question.arguments, {});
        case Verb::detail:
            return detail_rows(home, question.arguments[0]);
        case Verb::message:
            return life_rows(home, question.arguments[0]);
        case Verb::refusals:
            return refusal_rows(home, question.arguments);
        case Verb::destinations:
            return destination_rows(home);
        case Verb::people:
            return people_rows(home);
        case Verb::sender:
            return sender_rows(sender);
        case Verb::act:
            return act_rows(home, question.arguments);
        default:
            throw_permanent("usage: qmail-console starts this itself");
    }
}

Question read_question() {
    std::string input = read_to_end(STDIN_FILENO, question_limit, Deadline::in(patience));
    bool broken = false;
    const auto fields = take_frame(input, question_limit, broken);
    auto question = fields ? decode_question(*fields) : std::nullopt;
    if (!question || !input.empty() || !fault_of(*question).empty())
        throw_permanent("usage: qmail-console starts this itself");
    return *std::move(question);
}

// Nothing without qmail-send.
std::optional<SenderTexts> ask_sender(const control::Home& home) {
    auto client = queue::connect_to_qmail_send(home);
    if (!client) return std::nullopt;
    const Deadline deadline = Deadline::in(sender_patience);
    SenderTexts answers;
    answers.stat = client->ask({send::ControlVerb::stat, 0}, deadline, sender_text_limit).text;
    answers.running = client->ask({send::ControlVerb::running, 0}, deadline, sender_text_limit).text;
    return answers;
}

// An act goes through qmail-send's socket, which is the administrator's, or becomes qmails itself.
void give_up(const control::Home& home, Verb verb) {
    const pid_t helper = ::getppid();
    if (verb != Verb::act)
        control::become(control::Owners::read(home),
                        is_about_trace(verb) ? control::Role::qmailt : control::Role::qmails);
    // A change of ids has taken it back.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != helper) ::_exit(1);
    control::enter(verb == Verb::act      ? control::console_act_cage
                   : is_about_trace(verb) ? control::look_trace_cage
                                          : control::console_queue_cage,
                   home);
}

}  // namespace

int answer_one_question(const control::Home& home) {
    const Question question = read_question();
    Rows rows;
    try {
        // By its socket, which is the administrator's, qmail-send obeys every verb: what it says is parsed
        // when the connection has ended.
        const auto sender = question.verb == Verb::sender ? ask_sender(home) : std::nullopt;
        give_up(home, question.verb);
        rows = look(home, question, sender);
    } catch (const std::exception& error) {
        log_line(std::string("warning: ") + error.what());
        rows = {{"failed", error.what()}};
    }
    write_all(STDOUT_FILENO, pack_rows(rows), Deadline::in(patience));
    return 0;
}

}  // namespace relais::console
