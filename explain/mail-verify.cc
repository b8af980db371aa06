// mail-verify FILE [--ip A] [--helo H] [--from S] [--dns ZONEFILE] [--json]: is a message from whom it says?
// Verdict and reason for SPF, each DKIM signature, DMARC and ARC, and the Authentication-Results that would
// be written.
//
// Trust: the message and what DNS says come from anybody; they are parsed by pure functions with limits, in a
// confined process, and what is shown of them is safe for a terminal. DNS is asked through qmail-resolver:
// the instance's or, where none runs, one that is started for this. Exit codes: 0 all that was verified
// passes, or there was nothing to verify; 1 something fails; 100 wrong usage; 111 DNS gave no answer that was
// needed, or the system failed.
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <memory>

#include "authres/verification.h"
#include "authres/zone.h"
#include "base/command_line.h"
#include "base/error.h"
#include "base/io.h"
#include "base/time.h"
#include "control/cages.h"
#include "control/setting.h"
#include "control/tool.h"
#include "explain/dns.h"
#include "explain/verified.h"

namespace {

using namespace relais;

struct Options {
    std::string file;
    std::string zone;
    std::string server;
    std::optional<std::string> sender;
    authres::SpfQuestion spf;
    bool json = false;
    unsigned seconds = 60;
};

Fd open_message(const std::string& path) {
    if (path == "-") return Fd(::dup(STDIN_FILENO));
    Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) throw_errno("open", path);
    return file;
}

void read_message(int fd, authres::Verification& verification) {
    std::array<char, io_buffer_size> buffer;
    while (const std::size_t size = read_some(fd, buffer, Deadline::never()))
        verification.add({buffer.data(), size});
    verification.end_message();
}

// Who answers in the place of DNS, or DNS itself.
struct Source {
    std::unique_ptr<explain::Dns> resolver;
    std::unique_ptr<authres::Dns> dns;
};

Source open_source(const std::string& zone, const control::Home& home) {
    Source source;
    if (!zone.empty()) {
        source.dns = std::make_unique<authres::ZoneDns>(authres::Zone::read(zone));
        return source;
    }
    source.resolver = std::make_unique<explain::Dns>(home);
    source.dns = std::make_unique<authres::ResolverDns>(source.resolver->resolver());
    return source;
}

// Our name in Authentication-Results, as well as it is known.
std::string own_name(const control::Home& home) {
    try {
        if (auto me = control::read_if_there<"me">(home)) return *std::move(me);
    } catch (const Error&) {
        // Not everybody may look into the instance.
    }
    return "localhost";
}

int verify(Options options) {
    const auto home = control::Home::from_environment();
    options.spf.receiver = options.server.empty() ? own_name(home) : options.server;
    const Fd file = open_message(options.file);
    const Source source = open_source(options.zone, home);
    authres::prepare_cryptography();
    // What follows reads what anybody has written. Only a resolver of our own is still to be ended.
    control::enter(source.resolver ? control::mail_verify_resolver_cage : control::mail_verify_cage, home);
    authres::Verification verification;
    read_message(file.get(), verification);
    options.spf.sender = explain::sender_of(options.sender, verification.header());
    const auto verified =
        verification.finish(*source.dns, options.spf, Deadline::in(Seconds(options.seconds)));
    const auto text = options.json ? explain::verified_json(verified, options.spf)
                                   : explain::verified_text(verified, options.spf);
    write_all(STDOUT_FILENO, text, Deadline::never());
    const std::string trouble = source.resolver ? source.resolver->trouble() : "";
    if (!trouble.empty()) log_line("warning: no DNS: " + trouble);
    return explain::exit_code(verified);
}

// "--from=" is an empty sender, as "--from ''" is.
Arguments with_empty_values(const Arguments& arguments) {
    Arguments result;
    for (const std::string& argument : arguments) {
        const bool empty = argument.starts_with("--") && argument.find('=') == argument.size() - 1;
        result.push_back(empty ? argument.substr(0, argument.size() - 1) : argument);
        if (empty) result.emplace_back();
    }
    return result;
}

int work(const Arguments& arguments) {
    Options options;
    CommandLine line("Says whether a message is from whom it says.", "mail-verify");
    line.option("FILE", options.file, "the message; - is standard input").required();
    line.option("--ip", options.spf.ip, "the client's address; without it SPF is not checked");
    line.option("--helo", options.spf.helo, "what the client said it is");
    line.option("--from", options.sender, "the envelope's sender; without it the field Return-Path");
    line.option("--dns", options.zone, "a zone file that answers in the place of DNS");
    line.option("--server", options.server, "our name in Authentication-Results; by default control/me");
    line.option("--timeout", options.seconds, "seconds for all of DNS").in_range(1, 3600);
    line.flag("--json", options.json, "print one JSON object");
    if (const auto code = line.parse(with_empty_values(arguments))) return *code;
    options.spf.now = now_seconds();
    if (!options.spf.ip.empty() && !authres::address_octets(options.spf.ip))
        throw_permanent("\"" + options.spf.ip + "\" is no address");
    return verify(std::move(options));
}

}  // namespace

int main(int argc, char** argv) {
    return control::run_tool("mail-verify", argc, argv, work);
}
