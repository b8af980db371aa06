// sendmail is the command line that every program on a Unix machine knows, in front of what qmail-inject
// does; -bs speaks SMTP (qmail-smtpd) and -bp, or the name mailq, lists the queue (qmail-qread); -bi builds
// the aliases (newaliases).
//
// Trust: run by anybody, with no privilege of its own. Inputs: the message on standard input, the arguments,
// and qmail-inject's variables and control files. A line that holds only a dot is text like any other, with
// or without -i.
//
// Exit codes: 0 accepted; 100 wrong usage, a header that cannot be understood, or refused for good; 111 try
// again later.
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "base/error.h"
#include "base/text.h"
#include "control/hide_arguments.h"
#include "control/home.h"
#include "inject/injection.h"
#include "inject/options.h"
#include "mail/address.h"

namespace {

using namespace relais;

constexpr const char* usage =
    "usage: sendmail [ -t ] [ -fsender ] [ -Fname ] [ -bi ] [ -bp ] [ -bs ] [ arg ... ]";

[[noreturn]] void become(const char* program) {
    std::string path = control::Home::from_environment().path(std::string("bin/") + program);
    char* const argv[] = {path.data(), nullptr};
    ::execv(path.c_str(), argv);
    throw_errno("run", program);
}

// A session on standard input and output, from a client that the system trusts as it trusts the caller.
[[noreturn]] void become_smtpd() {
    if (std::getenv("PROTO") == nullptr) {
        // Programs on this machine end their lines as files do.
        for (const auto& [name, value] : {std::pair{"RELAYCLIENT", ""},
                                          {"FIXCRIO", ""},
                                          {"DATABYTES", "0"},
                                          {"PROTO", "TCP"},
                                          {"TCPLOCALIP", "127.0.0.1"},
                                          {"TCPLOCALHOST", "localhost"},
                                          {"TCPREMOTEIP", "127.0.0.1"},
                                          {"TCPREMOTEHOST", "localhost"},
                                          {"TCPREMOTEINFO", "sendmail-bs"}})
            ::setenv(name, value, 1);
    }
    become("qmail-smtpd");
}

// -f names the author of a message without From too, and nobody else's name belongs to him.
void set_author(const std::string& sender) {
    for (const char* name : {"QMAILNAME", "MAILNAME", "NAME", "QMAILHOST", "MAILHOST"}) ::unsetenv(name);
    const mail::AddressParts parts = mail::split_address(sender);
    ::setenv("QMAILUSER", std::string(parts.local).c_str(), 1);
    if (parts.has_domain) ::setenv("QMAILHOST", std::string(parts.domain).c_str(), 1);
}

struct Choices {
    inject::Request request;
    std::string name;            // -F
    inject::ReportWish reports;  // -N, -R, -V
};

void set_mode(char mode) {
    if (mode == 'p') become("qmail-qread");
    if (mode == 's') become_smtpd();
    if (mode == 'i') become("newaliases");
    if (mode != 'm') throw_permanent(usage);
}

// What makes no sense has no meaning here, as other options: no caller's mail is lost for it.
mail::Notify read_notify(std::string text) {
    std::erase(text, ' ');
    return mail::parse_notify(text).value_or(mail::Notify{});
}

Choices read_command_line(const Arguments& arguments) {
    Choices choices;
    choices.request.source = inject::RecipientSource::arguments;
    inject::OptionReader options(arguments, "viUGnmxstA?B:C:D:E?F:J?L:N:O:R:V:X:b:e:d?f:h:o:p:r:");
    while (const auto option = options.next()) {
        switch (*option) {
            case 't':
                choices.request.source = inject::RecipientSource::both;
                break;
            // "<>" is how other systems' callers write the null sender.
            case 'f':
            case 'r':
                choices.request.sender = options.value() == "<>" ? "" : options.value();
                break;
            case 'F':
                choices.name = options.value();
                break;
            case 'N':
                choices.reports.notify = read_notify(options.value());
                break;
            case 'R':
                if (equal_ignoring_case(options.value(), "full")) choices.reports.ret = mail::Ret::full;
                if (equal_ignoring_case(options.value(), "hdrs")) choices.reports.ret = mail::Ret::headers;
                break;
            case 'V':
                if (mail::is_envid(options.value())) choices.reports.envid = options.value();
                break;
            case 'b':
                set_mode(options.value()[0]);
                break;
            case '?':
                throw_permanent(usage);
            default:
                break;  // known elsewhere, without a meaning here
        }
    }
    choices.request.arguments = options.rest();
    return choices;
}

int sendmail(const Arguments& arguments, const std::string& called_as) {
    control::hide_arguments("sendmail");
    const Choices choices = read_command_line(arguments);
    if (called_as == "mailq") become("qmail-qread");
    if (called_as == "newaliases") become("newaliases");
    if (choices.request.sender && !choices.request.sender->empty()) set_author(*choices.request.sender);
    if (!choices.name.empty()) ::setenv("QMAILNAME", choices.name.c_str(), 1);
    inject::inject_message(choices.request, true, choices.reports);
    return static_cast<int>(Exit::success);
}

}  // namespace

int main(int argc, char** argv) {
    std::string called_as = argc > 0 ? argv[0] : "sendmail";
    called_as.erase(0, called_as.rfind('/') + 1);
    return relais::run_program("sendmail", argc, argv,
                               [&](const Arguments& arguments) { return sendmail(arguments, called_as); });
}
