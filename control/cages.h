// The cage of each program: what it may still do once it has begun to listen to anybody. A row is read as
// pledge(2) and unveil(2) are:
//
//   words that promise no more than      read    open and list files below reads
//                                        write   make, change and remove plain files below writes
//                                        mkdir   make directories there
//                                        move    from one directory to another, below writes
//                                        maymove the same, where Landlock can allow it (version 2)
//                                        unix    connect to unix sockets
//                                        inet    connect to other hosts, and ask them by UDP
//                                        pair    make pairs of unix sockets
//                                        accept  take connections of listening sockets that it has
//                                        fork    have children, which share the cage
//                                        kill    end them
//                                        signal  send signals to anybody of its user
//                                        exec    run programs
//                                        become  change its user
//                                        thread  have threads
//   reads, writes                        paths; one that does not begin with / is below the instance
//
// Reading and writing descriptors that it has, memory that is not executed, time and leaving are promised to
// all. base/privilege.h does it; docs/architecture.md has the table, and tests/cage_test.py tries in every
// cage what its row does not promise.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/privilege.h"
#include "control/home.h"

namespace relais::control {

struct Cage {
    std::string_view program;  // as docs/architecture.md names it
    std::string_view role;     // whose process it is: a role's, root's or an account's
    std::string_view promises;
    std::string_view reads;
    std::string_view writes;
};

// In the places of paths: what only the process itself knows.
inline constexpr std::string_view linked =
    "LINKED";  // the directories that links in control/ and users/ lead to
inline constexpr std::string_view given =
    "GIVEN";  // what its command line names: the rules' directory, the Maildir

inline constexpr Cage queued_cage{"qmail-queued", "qmailq", "read write mkdir maymove accept pair fork kill",
                                  "control LINKED", "queue drop"};
inline constexpr Cage send_cage{"qmail-send, and its children for slow work", "qmails",
                                "read write accept unix", "control LINKED", "queue"};
inline constexpr Cage rspawn_cage{
    "qmail-rspawn", "qmailr", "read inet unix pair accept fork",
    "control LINKED /etc/ssl /etc/pki /usr/share/ca-certificates /usr/local/share/ca-certificates", ""};
inline constexpr Cage remote_cage{
    "qmail-remote", "qmailr", "read inet unix",
    "GIVEN /etc/ssl /etc/pki /usr/share/ca-certificates /usr/local/share/ca-certificates", ""};
inline constexpr Cage resolver_cage{"qmail-resolver", "qmailn", "read inet pair accept thread",
                                    "control LINKED /etc /run/systemd/resolve /usr/share/dns", ""};
inline constexpr Cage open_smtpd_cage{"open-smtpd", "qmailo", "read write mkdir accept", "control LINKED",
                                      "open-smtp"};
inline constexpr Cage countd_cage{"qmail-countd", "qmailc", "read write accept", "", "counts"};
inline constexpr Cage stsd_cage{"qmail-stsd", "qmailw", "read write accept", "", "sts"};
inline constexpr Cage sts_fetch_cage{
    "qmail-stsd's fetchers", "qmailw", "read inet unix pair",
    "control LINKED GIVEN /etc/ssl /etc/pki /usr/share/ca-certificates /usr/local/share/ca-certificates", ""};
inline constexpr Cage milterd_cage{"qmail-milterd", "qmailx", "read write inet unix accept fork",
                                   "control LINKED", "milter"};
inline constexpr Cage traced_cage{"qmail-traced", "qmailt", "read write accept", "", "trace"};
inline constexpr Cage metrics_cage{"qmail-metrics", "qmailm", "read accept", "metrics", ""};
inline constexpr Cage console_cage{"qmail-console, the half that speaks with browsers", "qmailb",
                                   "read accept", "metrics", ""};
inline constexpr Cage console_queue_cage{"qmail-console's looks at the queue", "qmails", "read thread",
                                         "control LINKED queue", ""};
inline constexpr Cage look_trace_cage{"qmail-console's and qmail-summary's looks at traces", "qmailt",
                                      "read write", "", "trace"};
inline constexpr Cage dmarc_report_cage{"dmarc-report send, the process that reads traces", "qmailt",
                                        "read write unix", "", "trace"};
inline constexpr Cage console_act_cage{"qmail-console's acts", "root", "read write unix become",
                                       "control LINKED", "queue"};
inline constexpr Cage top_door_cage{"qmailctl top, the half that asks qmail-send", "root", "unix", "", ""};
inline constexpr Cage smtpd_cage{"qmail-smtpd", "qmaild", "read unix pair accept fork",
                                 "control LINKED GIVEN open-smtp", ""};
inline constexpr Cage smtpd_alone_cage{"qmail-smtpd under tcpserver", "qmaild", "read unix",
                                       "control LINKED GIVEN open-smtp", ""};
inline constexpr Cage qmtpd_cage{"qmail-qmtpd and qmail-qmqpd", "qmaild", "read unix",
                                 "control LINKED GIVEN open-smtp", ""};
inline constexpr Cage keyd_files_cage{"qmail-keyd, the half that opens files", "root", "read fork", "/", ""};
inline constexpr Cage keyd_cage{"qmail-keyd, the half that signs", "qmailk", "accept", "", ""};
inline constexpr Cage authd_cage{"qmail-authd", "qmaila", "read accept pair", "control LINKED users", ""};
inline constexpr Cage authd_starter_cage{"qmail-authd, the half that starts others", "root", "fork become",
                                         "", ""};
inline constexpr Cage authd_dovecot_cage{"qmail-authd, the half that starts others, where Dovecot is asked",
                                         "root", "unix fork become", "", ""};
inline constexpr Cage hash_cage{"qmail-authd's checks of hashes", "qmailh", "", "", ""};
inline constexpr Cage dialogue_cage{"qmail-popup's dialogue", "qmaild", "read unix pair fork",
                                    "control LINKED", ""};
inline constexpr Cage popup_cage{"qmail-popup's TLS child", "qmaild", "read unix", "control LINKED", ""};
inline constexpr Cage mail_verify_cage{"mail-verify", "account", "", "", ""};
inline constexpr Cage mail_verify_resolver_cage{"mail-verify, where it asks a resolver", "account",
                                                "unix fork signal", "", ""};
inline constexpr Cage doctor_cage{"qmailctl doctor, where it looks at DNS", "qmailr", "unix", "", ""};
inline constexpr Cage pop3d_cage{"qmail-pop3d", "account", "read write move", "", "GIVEN"};

// All of them.
std::span<const Cage> cages();

// What a cage means in this instance. given: paths in the place of that word. Throws a bug Error for a word
// that is none.
Confinement confinement(const Cage& cage, const Home& home, const std::vector<std::string>& given = {});

// Puts this process into the cage for good (confine). Throws Error.
void enter(const Cage& cage, const Home& home, const std::vector<std::string>& given = {});

}  // namespace relais::control
