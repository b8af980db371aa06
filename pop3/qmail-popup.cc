// qmail-popup: takes user and password from a POP3 client and hands them to a password program.
//
//   qmail-popup [--tls] [-a] HOST PROGRAM [ARGUMENT...]      under tcpserver: ... qmail-popup HOST checkpassword qmail-pop3d Maildir
//
// Trust: runs as root, as what PROGRAM must be able to become any user, and reads nothing from the client,
// who is hostile: a confined child as qmaild (dialogue.h) does, not one octet beyond the login, and gives it
// name and secret. PROGRAM gets the client on 0 and 1, and on descriptor 3, which is then closed, "user NUL
// password NUL timestamp NUL", 512 octets at most; all other descriptors and the environment pass as they
// are. Until PROGRAM ends qmail-popup waits, to tell the client if the login was not taken.
//
// With --tls the client speaks TLS from the first octet (port 995); without, STLS is offered where qmail-keyd
// has a certificate. TLS is spoken by another such child (tls_child.h); this process, and what it runs, see
// clear octets.
//
// The greeting has a time stamp, and APOP is taken, when qmail-authd says that some account has a stored
// secret, or with -a, for other password programs. Reads control/timeoutpop3d, perip, authtrusted and
// stresstimeout: one neighbourhood gets a part of the places, and strangers less time when these are scarce.
// $TCPREMOTEIP goes into the log line of a refusal; the login that was taken is logged by qmail-pop3d. Exit
// codes: 0; 1 the login was not taken; 100 wrong usage; 111 the system failed or the client has gone.
#include <unistd.h>

#include <algorithm>

#include "base/error.h"
#include "base/io.h"
#include "base/program.h"
#include "control/home.h"
#include "pop3/crowd.h"
#include "pop3/dialogue.h"
#include "pop3/opening.h"
#include "pop3/password_program.h"

namespace {

using namespace relais;

constexpr int not_taken = 1;

bool take_flag(Arguments& arguments, std::string_view flag) {
    if (arguments.empty() || arguments[0] != flag) return false;
    arguments.erase(arguments.begin());
    return true;
}

void say(std::string_view answer, std::chrono::seconds timeout) {
    write_all(STDOUT_FILENO, std::string(answer) + "\r\n", Deadline::in(timeout));
}

// One neighbourhood does not get every place. Nothing is said in clear to who is about to speak TLS.
bool turned_away(const control::Home& home, const pop3::DialogueSettings& settings,
                 const pop3::Crowd& crowd) {
    const std::string ip = environment("TCPREMOTEIP", "");
    const std::size_t limit = pop3::limit_of_one(home, ip);
    if (limit == 0 || crowd.neighbours <= limit) return false;
    log_line(pop3::too_many_line(ip, limit, environment("PERIP", "").empty() ? "control/perip" : "PERIP"));
    if (!settings.tls_first) say(pop3::too_many_answer, settings.timeout);
    return true;
}

int serve(const Arguments& all) {
    Arguments arguments = all;
    const bool tls_first = take_flag(arguments, "--tls");
    const bool apop_always = take_flag(arguments, "-a");
    if (arguments.size() < 2) throw_permanent("usage: qmail-popup [--tls] [-a] HOST PROGRAM [ARGUMENT...]");
    const control::Home home = control::Home::from_environment();
    pop3::DialogueSettings settings = pop3::dialogue_settings(home, arguments[0], tls_first, apop_always);
    const pop3::Crowd crowd = pop3::crowd_around_client();
    if (turned_away(home, settings, crowd)) return not_taken;
    if (crowd.all * 4 >= pop3::places * 3) pop3::hurry(home, settings);
    pop3::Dialogue dialogue = pop3::hold_dialogue(home, settings);
    if (!dialogue.named) return dialogue.status;
    std::string& record = *dialogue.named;
    const std::string user = record.substr(0, std::min<std::size_t>(record.find('\0'), 128));
    const int status = pop3::run_password_program(Arguments(arguments.begin() + 1, arguments.end()), record,
                                                  settings.challenge);
    if (status == 0) return static_cast<int>(Exit::success);
    const std::string answer = pop3::answer_to(status);
    log_line(pop3::refusal_line(user, answer));
    say(answer, settings.timeout);
    return not_taken;
}

}  // namespace

int main(int argc, char** argv) {
    return run_program("qmail-popup", argc, argv, serve);
}
