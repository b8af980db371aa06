#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/io.h"
#include "base/unix_socket.h"
#include "net/resolver_protocol.h"

namespace relais::net {

Resolver::Resolver(control::Home home) : home_(std::move(home)) {}
Resolver::Resolver(control::Home home, Fd connected) : home_(std::move(home)), fd_(std::move(connected)) {}
Resolver::~Resolver() = default;

DnsAnswer Resolver::ask(RecordType type, std::string_view name, Deadline deadline) {
    if (name.size() > question_limit - 2) return DnsAnswer::without_records(DnsStatus::no_such_name);
    const DnsQuestion question{type, std::string(name)};
    return std::move(ask_all({&question, 1}, deadline).front());
}

std::vector<DnsAnswer> Resolver::ask_all(std::span<const DnsQuestion> questions, Deadline deadline) {
    std::vector<DnsAnswer> answers;
    answers.reserve(questions.size());
    // A connection from an earlier question may have been closed meanwhile, and a resolver that dies is
    // started again.
    for (int attempt = 0; attempt < 2 && answers.size() < questions.size() && !deadline.passed(); ++attempt)
        try_ask_all(questions, answers, deadline);
    answers.resize(questions.size());
    return answers;
}

std::vector<std::vector<DnsAnswer>> Resolver::ask_apart(std::span<const std::vector<DnsQuestion>> groups,
                                                        Deadline deadline) {
    // What has been answered by then waits in the connections: it is read after the deadline, too.
    constexpr std::chrono::milliseconds grace{20};
    std::vector<Fd> connections(groups.size());
    std::vector<std::vector<DnsAnswer>> answers(groups.size());
    for (std::size_t i = 0; i < groups.size(); ++i) {
        std::string text;
        for (const DnsQuestion& question : groups[i]) text += encode_question(question.type, question.name);
        try {
            connections[i] = connect_unix(home_.socket("resolver"), deadline);
            write_all(connections[i].get(), text, deadline);
        } catch (const Error&) {
            connections[i].reset();
        }
    }
    for (std::size_t i = 0; i < groups.size(); ++i) {
        try {
            const Deadline until = deadline.passed() ? Deadline::in(grace) : deadline;
            while (connections[i] && answers[i].size() < groups[i].size())
                answers[i].push_back(read_answer(connections[i].get(), until));
        } catch (const Error&) {
            // The others of this group stay without an answer.
        }
        answers[i].resize(groups[i].size());
    }
    return answers;
}

void Resolver::try_ask_all(std::span<const DnsQuestion> questions, std::vector<DnsAnswer>& answers,
                           Deadline deadline) {
    try {
        if (!fd_) fd_ = connect_unix(home_.socket("resolver"), deadline);
        std::size_t asked = answers.size();
        while (answers.size() < questions.size()) {
            std::string text;
            for (; asked < questions.size() && asked - answers.size() < pipeline_limit; ++asked)
                text += encode_question(questions[asked].type, questions[asked].name);
            if (!text.empty()) write_all(fd_.get(), text, deadline);
            answers.push_back(read_answer(fd_.get(), deadline));
        }
    } catch (const Error&) {
        // Whatever went wrong, this connection can no longer be trusted to be in step.
        fd_.reset();
    }
}

DnsAnswer Resolver::read_answer(int fd, Deadline deadline) {
    std::array<char, 4> head{};
    std::optional<DnsAnswer> answer;
    if (read_exactly(fd, head, deadline)) {
        std::size_t size = 0;
        for (std::size_t i = 0; i < head.size(); ++i)
            size |= std::size_t{static_cast<unsigned char>(head[i])} << (8 * i);
        std::string body(std::min(size, answer_limit), '\0');
        if (size <= answer_limit && read_exactly(fd, body, deadline)) answer = decode_answer(body);
    }
    if (!answer) throw Error(Reaction::temporary, "unable to read an answer of qmail-resolver");
    return *std::move(answer);
}

}  // namespace relais::net
