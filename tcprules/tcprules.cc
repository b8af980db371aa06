// tcprules compiles rules by client address into the cdb that tcpserver -x, and our own listener, ask for
// each connection.
//
// It runs as whoever may write the cdb. The rules come on standard input, RULES.CDB is replaced as a whole:
// written as RULES.TMP, synced, renamed. A line that cannot be parsed, or anything else that goes wrong,
// leaves the old cdb.
//
// Exit codes: 0 done; 100 wrong usage, or a line that is no rule; 111 it cannot be read or written.

#include <unistd.h>

#include "base/error.h"
#include "base/io.h"
#include "base/program.h"
#include "tcprules/compile.h"

namespace relais::tcprules {
namespace {

// One rule, and one line of input, at most.
constexpr std::size_t line_limit = std::size_t{1} << 20;

class Input {
  public:
    // The next line; false at the end. A last line without LF counts.
    bool next(std::string& line) {
        try {
            const Reader::Line result = reader_.read_line(line, line_limit, Deadline::never());
            ++number_;
            if (result == Reader::Line::too_long)
                throw_permanent("line " + std::to_string(number_) + " is longer than " +
                                std::to_string(line_limit) + " octets");
            return result == Reader::Line::complete || !line.empty();
        } catch (const Error& error) {
            if (error.number() == 0) throw;
            throw Error(Reaction::temporary, "unable to read input: " + errno_text(error.number()),
                        error.number());
        }
    }
    std::size_t number() const { return number_; }

  private:
    Reader reader_{STDIN_FILENO};
    std::size_t number_ = 0;
};

// The published text, with its reason on a line of its own: scripts compare the first one.
int complain(const std::string& line, std::size_t number, const std::string& reason) {
    log_line("fatal: unable to parse this line: " + line.substr(0, line.find_last_not_of(" \t") + 1));
    log_line("line " + std::to_string(number) + ": " + reason);
    return static_cast<int>(Exit::permanent);
}

// The words of ucspi-tcp, whose published tests compare them.
[[noreturn]] void throw_in_classic_words(const Error& error) {
    std::string text = error.what();
    const std::string ours = errno_text(ENOENT);
    if (error.number() == ENOENT && text.ends_with(ours))
        text.replace(text.size() - ours.size(), ours.size(), "file does not exist");
    throw Error(error.reaction(), text, error.number());
}

int compile(const Arguments& arguments) {
    if (arguments.size() < 2) {
        log_line("usage: tcprules rules.cdb rules.tmp");
        return static_cast<int>(Exit::permanent);
    }
    Input input;
    RuleSet rules;
    for (std::string line; input.next(line);) {
        auto parsed = parse_rule(line);
        if (const auto* wrong = std::get_if<Wrong>(&parsed))
            return complain(line, input.number(), wrong->reason);
        auto* rule = std::get_if<Rule>(&parsed);
        if (rule == nullptr) continue;
        if (rule->keys.empty())
            log_line("warning: line " + std::to_string(input.number()) + ": the range is empty");
        rules.add(std::move(*rule));
    }
    try {
        rules.write(arguments[0], arguments[1]);
    } catch (const Error& error) {
        throw_in_classic_words(error);
    }
    return 0;
}

}  // namespace
}  // namespace relais::tcprules

int main(int argc, char** argv) {
    return relais::run_program("tcprules", argc, argv, relais::tcprules::compile);
}
