#include "auth/program.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

#include "base/error.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/text.h"
#include "sasl/secret.h"

namespace relais::auth {
namespace {

constexpr int fields_fd = 3;
constexpr std::size_t output_limit = 1024;

[[noreturn]] void become_program(const ProgramQuestion& question, int fields, int output) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::signal(SIGPIPE, SIG_DFL);
    std::vector<std::string> variables = {"PATH=/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin",
                                          "PROTO=TCP"};
    for (const auto& [name, value] :
         {std::pair("TCPREMOTEIP=", question.address), std::pair("SERVICE=", question.service),
          std::pair("AUTHMECHANISM=", question.mechanism)})
        variables.push_back(name + std::string(value));
    const auto pointers = [](const std::vector<std::string>& texts) {
        std::vector<char*> result;
        for (const std::string& text : texts) result.push_back(const_cast<char*>(text.c_str()));
        result.push_back(nullptr);
        return result;
    };
    const auto arguments = pointers(question.words);
    const auto environment = pointers(variables);
    const int nothing = ::open("/dev/null", O_RDWR);
    if (::dup2(nothing, STDIN_FILENO) >= 0 && ::dup2(output, STDOUT_FILENO) >= 0 &&
        ::dup2(fields, fields_fd) >= 0 && ::close_range(fields_fd + 1, ~0U, 0) == 0)
        ::execve(arguments[0], arguments.data(), environment.data());
    ::_exit(static_cast<int>(127));
}

// The fields as they go through the pipe; empty if they do not fit.
Secret joined_fields(const ProgramQuestion& question) {
    constexpr std::string_view nul("\0", 1);
    for (const std::string_view field : question.fields)
        if (field.find('\0') != std::string_view::npos) return {};
    Secret all = Secret::joined({question.fields[0], nul, question.fields[1], nul, question.fields[2], nul});
    return all.size() <= question.limit ? std::move(all) : Secret();
}

Answer judge(const ProgramQuestion& question, int status, const std::string& output) {
    const std::string& program = question.words[0];
    if (!WIFEXITED(status)) return answer_of(Result::temporary, program + " crashed");
    const int code = WEXITSTATUS(status);
    if (code == 1) return answer_of(Result::refused, "refused by " + program);
    if (code != 0) return answer_of(Result::temporary, program + " exited " + std::to_string(code));
    Answer answer = answer_of(Result::right);
    if (question.names_the_account) answer.name = trim(output.substr(0, output.find('\n')));
    return answer;
}

}  // namespace

ProgramSettings parse_program(const std::vector<std::string>& lines) {
    ProgramSettings settings;
    for (const std::string& line : lines) {
        if (settings.words.empty()) {
            for (const std::string_view word : split(line, ' '))
                if (!word.empty()) settings.words.emplace_back(word);
        } else if (line == "cram-md5") {
            settings.cram = ProgramSettings::Cram::response_first;
        } else if (line == "cram-md5-swapped") {
            settings.cram = ProgramSettings::Cram::challenge_first;
        } else {
            throw_permanent("control/authprogram: this is neither cram-md5 nor cram-md5-swapped: " + line);
        }
    }
    if (!settings.words.empty() && !settings.words[0].starts_with('/'))
        throw_permanent("control/authprogram needs an absolute path, not " + settings.words[0]);
    if (settings.words.size() == 1) settings.words.emplace_back("/bin/true");
    return settings;
}

Answer ask_program(const ProgramQuestion& question) {
    try {
        const Secret fields = joined_fields(question);
        if (fields.size() == 0) return answer_of(Result::refused, "name or password too long, or with a NUL");
        Pipe input = make_pipe();
        Pipe output = make_pipe();
        // It fits into the pipe: no reader is needed.
        write_all(input.write.get(), fields.view(), Deadline::in(std::chrono::seconds(10)));
        input.write.reset();
        const pid_t pid = ::fork();
        if (pid < 0) return answer_of(Result::temporary, "unable to fork for " + question.words[0]);
        if (pid == 0)
            become_program(question, input.read.get(),
                           question.names_the_account ? output.write.get() : STDERR_FILENO);
        input.read.reset();
        output.write.reset();
        // Whoever waits for us has a clock.
        const std::string said = read_to_end(output.read.get(), output_limit, Deadline::never());
        int status = 0;
        while (::waitpid(pid, &status, 0) < 0)
            if (errno != EINTR) throw_errno("wait for", question.words[0]);
        return judge(question, status, said);
    } catch (const Error& error) {
        return answer_of(Result::temporary, error.what());
    }
}

}  // namespace relais::auth
