// qmail-counts [beginning] shows what qmail-countd has counted and whom it remembers: lines of keys that
// begin so. --forget takes them out. --release lets a login send again that has gone beyond a budget with the
// word hold (control/ratelimits).
//
// Trust: run by root, or the one user of an instance; only these can connect. What it prints comes from
// clients: octets that are unsafe for a terminal are underscores.
//
// Exit codes: 0; 1 there is nothing; 100 wrong usage; 111 qmail-countd does not answer.
#include <unistd.h>

#include "base/command_line.h"
#include "base/error.h"
#include "base/io.h"
#include "control/tool.h"
#include "counts/protocol.h"

namespace {

using namespace relais;

constexpr Seconds patience{10};

std::string printable(std::string text) {
    for (char& c : text)
        if (c != '\n' && (static_cast<unsigned char>(c) < 32 || static_cast<unsigned char>(c) > 126)) c = '_';
    return text;
}

int release(counts::Counts& counts, const std::string& login) {
    const auto was_held = counts.release(counts::held_key(login), Deadline::in(patience));
    if (!was_held) throw Error(Reaction::temporary, "qmail-countd does not answer");
    write_all(STDOUT_FILENO, *was_held ? "released\n" : "it is not held\n", Deadline::never());
    return *was_held ? 0 : 1;
}

int work(const Arguments& arguments) {
    std::string beginning;
    bool forget = false;
    std::string login;
    CommandLine line("Shows what clients have sent in the last while, and who is greylisted.",
                     "qmail-counts");
    line.option("BEGINNING", beginning, "of the keys: rate:, grey:, good: or held:, and what follows there");
    line.flag("--forget", forget, "take them out");
    line.option("--release", login, "a login that is held: it may send again");
    if (const auto code = line.parse(arguments)) return *code;
    if (forget && beginning.empty())
        throw_permanent("say what is to be forgotten: rate:, grey: or good:, or more");
    if (!login.empty() && (forget || !beginning.empty())) throw_permanent("--release stands alone");
    counts::Counts counts(control::Home::from_environment());
    if (!login.empty()) return release(counts, login);
    if (forget) {
        const auto count = counts.forget(beginning, Deadline::in(patience));
        if (!count) throw Error(Reaction::temporary, "qmail-countd does not answer");
        write_all(STDOUT_FILENO, std::to_string(*count) + " forgotten\n", Deadline::never());
        return *count > 0 ? 0 : 1;
    }
    const auto text = counts.list(beginning, Deadline::in(patience));
    if (!text) throw Error(Reaction::temporary, "qmail-countd does not answer");
    write_all(STDOUT_FILENO, printable(*text), Deadline::never());
    return text->empty() ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
    return control::run_tool("qmail-counts", argc, argv, work);
}
