// relay-explain says whether a client may send, why, what it is told, and what can be done about it.
//
//   relay-explain IP [--from S] [--rcpt R]... [--helo H] [--host NAME] [--user U] [--listener NAME] [--json]
//   relay-explain --audit [--json]      what is wrong with who may relay
//   relay-explain --watch [LOG]         explains each refusal in the log
//
// It decides with qmail-smtpd's own code and, started by root, as qmail-smtpd's own user: what that cannot
// read, this cannot either (with --watch it stays root, for the log is not that user's). It changes nothing.
//
// Inputs: service/*/run, control/, open-smtp/, the rules cdb and the text beside it; the log is written by
// strangers. Exit codes: 0 allowed, or nothing wrong; 1 refused, or an open relay or something else wrong;
// 100 wrong usage; 111 something cannot be read.
#include <unistd.h>

#include "base/command_line.h"
#include "base/error.h"
#include "base/io.h"
#include "control/owners.h"
#include "control/tool.h"
#include "explain/audit.h"
#include "explain/present.h"
#include "explain/watch.h"
#include "opensmtp/address.h"

using namespace relais;

namespace {

struct Options {
    explain::Question question;
    bool json = false;
    bool audit = false;
    bool watch = false;
    std::string log;
};

void print(std::string_view text) {
    write_all(STDOUT_FILENO, text, Deadline::never());
}

void refuse_control_characters(const std::string& text) {
    for (const char c : text)
        if (static_cast<unsigned char>(c) < 32 || c == 127)
            throw_permanent("an argument has a control character");
}

// As people copy it from a log: <anna@example.org>, [2001:db8::1].
void strip_brackets(std::string& text, char open, char close) {
    if (text.size() >= 2 && text.front() == open && text.back() == close)
        text = text.substr(1, text.size() - 2);
}

void check(Options& options) {
    explain::Question& question = options.question;
    strip_brackets(question.ip, '[', ']');
    const auto address = opensmtp::canonical_client(question.ip);
    if (!address) throw_permanent("not an address: " + question.ip);
    question.ip = *address;
    if (question.recipients.size() > explain::recipient_limit) throw_permanent("too many recipients");
    refuse_control_characters(question.helo);
    refuse_control_characters(question.sender);
    strip_brackets(question.sender, '<', '>');
    for (std::string& recipient : question.recipients) {
        strip_brackets(recipient, '<', '>');
        refuse_control_characters(recipient);
        if (recipient.empty()) throw_permanent("--rcpt needs an address");
    }
}

// The server's own user, so that what is unreadable for it is unreadable here.
void become_server(const control::Home& home) {
    if (::geteuid() == 0) control::become(control::Owners::read(home), control::Role::qmaild);
    if (::access(home.path("open-smtp").c_str(), R_OK | X_OK) != 0 && errno == EACCES)
        throw Error(Reaction::permanent,
                    "unable to read " + home.path("open-smtp") + ": " + errno_text(EACCES), EACCES);
}

int explain_client(const control::Home& home, Options& options) {
    check(options);
    if (options.question.helo.empty()) options.question.helo = "[" + options.question.ip + "]";
    become_server(home);
    const explain::Explanation explanation = explain::explain(home, options.question);
    print(options.json ? explain::to_json(explanation) : explain::to_text(explanation));
    return explanation.all_accepted() ? 0 : 1;
}

int audit(const control::Home& home, const Options& options) {
    const auto findings = explain::audit(home);
    print(options.json ? explain::to_json(findings) : explain::to_text(findings));
    return explain::is_bad(findings) ? 1 : 0;
}

int watch(const control::Home& home, const Options& options) {
    explain::Watch watch(home);
    explain::follow(options.log.empty() ? home.path("log/qmail-smtpd") : options.log,
                    [&](std::string_view line) {
                        const auto refusal = explain::parse_refusal(line);
                        if (refusal) print(watch.explain(*refusal));
                    });
    return 0;
}

int work(const Arguments& arguments) {
    Options options;
    std::string user;
    std::string host;
    CommandLine line("Says whether a client may send, and why.", "relay-explain");
    line.option("IP", options.question.ip, "the client's address");
    line.option("--from", options.question.sender, "the envelope sender (default: empty, as of a bounce)");
    line.option("--rcpt", options.question.recipients, "a recipient (repeatable; default: a foreign one)")
        .one_value_each();
    line.option("--helo", options.question.helo, "what the client says after EHLO");
    line.option("--host", host, "the client's name, where the server looks it up");
    line.option("--user", user, "as if this user had authenticated");
    line.option("--listener", options.question.listener, "the SMTP server by its service, or a rules cdb");
    line.flag("--json", options.json, "as JSON");
    const auto audited = line.flag("--audit", options.audit, "what is wrong with who may relay");
    const auto watched = line.option("--watch", options.log,
                                     "explain refusals in this log (a multilog directory, a file, or -)")
                             .value_optional()
                             .excludes(audited);
    if (const auto code = line.parse(arguments)) return *code;
    if (!user.empty()) options.question.user = user;
    if (!host.empty()) options.question.host = host;
    options.watch = watched.given();
    const auto home = control::Home::from_environment();
    if (options.question.ip.empty() == !(options.audit || options.watch))
        throw_permanent("an address is needed, or --audit, or --watch (and no address with these)");
    if (options.audit) return audit(home, options);
    return options.watch ? watch(home, options) : explain_client(home, options);
}

}  // namespace

int main(int argc, char** argv) {
    return control::run_tool("relay-explain", argc, argv, work);
}
