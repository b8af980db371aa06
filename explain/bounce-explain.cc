// bounce-explain [--json] [ID | FILE | TEXT...]: what another server meant, and what to do about it.
//
// ID is a message in the queue or in the log, FILE a bounce, TEXT a reply or a line of the log; without
// argument it reads standard input. The words decide, by the table that comes with the programs and by
// control/bouncehints.local before it. Trust: for whoever may read what it is asked about; every input is
// hostile and shown made safe for a terminal. Exit codes: 0 explained; 1 there are no words to explain, or
// none of the table's; 100 wrong usage; 111 the system failed.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/command_line.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/text.h"
#include "explain/bounce.h"
#include "queue/store.h"
#include "send/bounce_hints.h"

namespace {

using namespace relais;

// Shorter numbers are reply codes: an id is the microsecond of a message's birth.
constexpr std::size_t shortest_id = 10;

// At most bounce_message_limit octets; what follows is the original message.
std::string read_start(int fd) {
    std::string text;
    std::vector<char> buffer(io_buffer_size);
    while (text.size() < explain::bounce_message_limit) {
        const std::size_t count = read_some(fd, buffer, Deadline::never());
        if (count == 0) break;
        text.append(buffer.data(), count);
    }
    return text;
}

std::vector<explain::Refusal> refusals(const control::Home& home, const std::vector<std::string>& words) {
    if (words.empty() || words == std::vector<std::string>{"-"})
        return explain::read_refusals(read_start(STDIN_FILENO));
    if (words.size() == 1) {
        const std::string_view word =
            words[0].starts_with('#') ? std::string_view(words[0]).substr(1) : words[0];
        if (const auto id = queue::parse_message_name(word); id && word.size() >= shortest_id)
            return explain::refusals_of_message(home, *id);
        struct stat status {};
        if (::stat(words[0].c_str(), &status) == 0 && S_ISREG(status.st_mode)) {
            const Fd file(::open(words[0].c_str(), O_RDONLY | O_CLOEXEC));
            if (!file) throw_errno("open", words[0]);
            return explain::read_refusals(read_start(file.get()));
        }
        // Not what a server says: the name of a file that is not there.
        if (words[0].find('/') != std::string::npos && words[0].find_first_of(" \t\n:") == std::string::npos)
            throw_errno("open", words[0], ENOENT);
    }
    std::string text;
    for (const std::string& word : words) text.append(text.empty() ? "" : " ").append(word);
    return explain::read_refusals(text);
}

int work(const Arguments& arguments) {
    std::vector<std::string> words;
    bool json = false;
    bool print_table = false;
    CommandLine line("Says what a refusal means and what to do about it.", "bounce-explain");
    line.option("WHAT", words,
                "a message id, a file with a bounce, or the text itself; default: standard input");
    line.flag("--json", json, "print a JSON array");
    line.flag("--table", print_table, "print the table that comes with the programs");
    if (const auto code = line.parse(arguments)) return *code;
    if (print_table) {
        write_all(STDOUT_FILENO, mail::HintTable::built_in(), Deadline::never());
        return 0;
    }
    const auto home = control::Home::from_environment();
    std::vector<std::string> mistakes;
    const mail::HintTable table = send::read_hint_table(home, mistakes);
    for (const std::string& mistake : mistakes) log_line("warning: " + mistake);
    const auto found = refusals(home, words);
    write_all(STDOUT_FILENO, json ? explain::bounce_json(table, found) : explain::bounce_text(table, found),
              Deadline::never());
    if (found.empty()) log_line("there are no words to explain");
    const bool all = std::all_of(found.begin(), found.end(), [&](const explain::Refusal& refusal) {
        return table.match(refusal.text) != nullptr;
    });
    return !found.empty() && all ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    return run_program("bounce-explain", argc, argv, work);
}
