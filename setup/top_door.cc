#include "setup/top_door.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/error.h"
#include "base/unix_socket.h"
#include "control/cages.h"
#include "control/tool.h"

namespace relais::setup {
namespace {

constexpr Seconds connect_patience{1};
constexpr std::chrono::milliseconds patience{1500};
constexpr std::size_t silence_limit = 1000;

// A packet asks; each text is a packet, with an octet before it, as an empty one would be an end.
constexpr std::string_view question = "?";
constexpr std::size_t packet_limit = top_text_limit + 1;

constexpr std::array texts = {&TopAnswers::stat, &TopAnswers::running, &TopAnswers::silence};

// The child. Nothing that it is sent is a word: whatever comes, the same is asked.
[[noreturn]] void keep_door(const control::Home& home, int channel) {
    // Keys of the terminal are the other half's; this one ends with it.
    for (const int signal : {SIGINT, SIGQUIT, SIGTSTP, SIGHUP}) ::signal(signal, SIG_IGN);
    int code = 0;
    try {
        control::enter(control::top_door_cage, home);
        TopQuestions questions(home);
        while (receive_packet(channel, question.size())) {
            TopAnswers answers;
            try {
                answers = questions.ask(Deadline::in(patience));
            } catch (const Error& error) {
                answers.silence = error.what();
            }
            answers.silence.resize(std::min(answers.silence.size(), silence_limit));
            for (const auto text : texts)
                if (!send_packet(channel, "=" + answers.*text)) ::_exit(0);
        }
    } catch (const Error&) {
        code = 1;
    }
    ::_exit(code);
}

}  // namespace

TopAnswers TopQuestions::ask_connected(Deadline deadline) {
    if (!client_) client_.emplace(home_, earlier(deadline, Deadline::in(connect_patience)));
    TopAnswers answers;
    for (const auto& [verb, text] : {std::pair(send::ControlVerb::stat, &answers.stat),
                                     std::pair(send::ControlVerb::running, &answers.running)}) {
        send::ControlAnswer answer = client_->ask({verb, 0}, deadline, top_text_limit);
        if (answer.ok) *text = std::move(answer.text);
    }
    return answers;
}

TopAnswers TopQuestions::ask(Deadline deadline) {
    // qmail-send closes a connection that was quiet, and a new qmail-send knows none of the old one's.
    for (;;) {
        const bool kept = client_.has_value();
        try {
            return ask_connected(deadline);
        } catch (const Error& error) {
            client_.reset();
            if (error.number() == ENOENT || error.number() == ECONNREFUSED)
                return {"", "", "qmail-send does not run: qmailctl start, qmailctl doctor"};
            if (control::is_refusal(error.number()))
                throw Error(Reaction::permanent, error.what(), error.number());
            if (!kept) return {"", "", error.what()};
        }
    }
}

TopDoor::TopDoor(control::Home home, const control::Owners& owners) : questions_(home) {
    if (::geteuid() != 0 || owners.single()) return;
    auto [ours, theirs] = make_packet_pair();
    const pid_t pid = ::fork();
    if (pid < 0) throw_errno("fork", "the half that asks qmail-send");
    if (pid == 0) {
        ours.reset();
        keep_door(home, theirs.get());
    }
    child_ = std::move(ours);
    control::become(owners,
                    owners.has(control::Role::qmailm) ? control::Role::qmailm : control::Role::qmailp);
}

TopAnswers TopDoor::ask() {
    if (!child_) return questions_.ask(Deadline::in(patience));
    // It cannot be late by more than its own patience, so no answer is ever that of an older question.
    TopAnswers answers;
    bool there = send_packet(child_.get(), question);
    for (const auto text : texts) {
        auto packet = there ? receive_packet(child_.get(), packet_limit) : std::nullopt;
        there = packet && !packet->data.empty();
        if (!there) throw Error(Reaction::bug, "the half that asks qmail-send has ended");
        answers.*text = packet->data.substr(1);
    }
    return answers;
}

}  // namespace relais::setup
