#include "setup/scripts.h"

#include <fmt/core.h>
#include <unistd.h>

#include "net/own_addresses.h"
#include "setup/programs.h"

namespace relais::setup {

using control::Owner;
using control::Role;

namespace {

// A user instance never runs as root, also when root's svscan looks after it.
std::string drop_root(const Plan& plan) {
    if (!plan.identity.single) return "";
    const Owner owner = plan.identity.administrator();
    return fmt::format("[ \"$(id -u)\" != 0 ] || exec setpriv --reuid={} --regid={} --clear-groups \"$0\"\n",
                       owner.uid, owner.gid);
}

std::string opening(const Plan& plan, std::string_view purpose) {
    return fmt::format("#!/bin/sh\n# {}\n{}exec 2>&1\ncd {} || exit 111\n", purpose, drop_root(plan),
                       plan.home.directory());
}

std::string environment(const Plan& plan) {
    const std::string& home = plan.home.directory();
    return fmt::format("env - QMAILHOME={} PATH={}/bin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", home,
                       home);
}

// Adds the place in $address, $port and $kind of control/smtplisten or its like to the listener's arguments.
constexpr std::string_view add_place =
    "case $kind in proxy) place=--proxy ;; *) place=-l ;; esac\n"
    "case $address in 0) set -- \"$@\" $place \"0.0.0.0:$port\" $place \"[::]:$port\" ;;\n"
    "*:*) set -- \"$@\" $place \"[$address]:$port\" ;; *) set -- \"$@\" $place \"$address:$port\" ;; esac\n";

// Rules for the own addresses of one family or of both, for the administrator to put into force: programs on
// this host that connect to one of them have it as their own address, also a link-local one.
std::string offered_rules(bool ipv4, bool ipv6) {
    std::string rules;
    for (const std::string& address : net::own_addresses(net::Loopback::without))
        if (address.find(':') == std::string::npos ? ipv4 : ipv6)
            rules += "#" + address + ":allow,RELAYCLIENT=\"\"\n";
    if (rules.empty()) return "";
    return "# This host's own addresses when this file was made. Programs here, webmail say, that connect to "
           "one of "
           "them come from\n"
           "# it and not from loopback, and are refused: to let them relay, take the # before its rule "
           "away.\n" +
           rules;
}

}  // namespace

std::string send_script(const Plan& plan) {
    return opening(plan, "Queue, deliveries and bounces: qmail-start runs all of it.") +
           fmt::format("exec {} \\\n    qmail-start\n", environment(plan));
}

std::string smtpd_script(const Plan& plan, std::size_t number) {
    if (plan.own_listener)
        return opening(plan, "The SMTP server, with its own listener. Addresses: control/smtplisten.") +
               fmt::format("set --\nwhile read -r address port kind; do\n{}done <control/smtplisten\n",
                           add_place) +
               fmt::format(
                   "exec {} \\\n    qmail-smtpd \"$@\" -x {} -c \"$(head -n 1 "
                   "control/concurrencyincoming)\"\n",
                   environment(plan), plan.home.path("tcp.smtp.cdb"));
    const Owner owner = plan.identity.of(Role::qmaild);
    const bool ipv6 = plan.listen.at(number - 1).ipv6();
    return opening(plan,
                   fmt::format("The SMTP server on the address and port in line {} of control/smtplisten.",
                               number)) +
           fmt::format("read -r address port <<END\n$(sed -n {}p control/smtplisten)\nEND\n", number) +
           fmt::format(
               "exec {} \\\n    tcpserver -v -R -H -l \"$(head -n 1 control/me)\" -c \"$(head -n 1 "
               "control/concurrencyincoming)\" \\\n"
               "    -x {}{} \"$address\" \"$port\" qmail-smtpd\n",
               environment(plan), plan.home.path(ipv6 ? "tcp.smtp6.cdb" : "tcp.smtp.cdb"),
               plan.identity.single ? "" : fmt::format(" -u {} -g {}", owner.uid, owner.gid));
}

std::string submission_script(const Plan& plan, const Listen& listen, const std::string& file,
                              std::size_t number) {
    const std::string tls = file == "submissionslisten" ? " --tls" : "";
    const std::string rules =
        plan.home.path(has_ipv6_rules(plan) && listen.ipv6() ? "tcp.smtp6.cdb" : "tcp.smtp.cdb");
    const std::string connections = "-c \"$(head -n 1 control/concurrencyincoming)\"";
    std::string script =
        opening(plan, fmt::format("The submission server on the address and port in line {} of control/{}: "
                                  "mail of our own users.",
                                  number, file)) +
        fmt::format("read -r address port kind <<END\n$(sed -n {}p control/{})\nEND\n", number, file);
    if (plan.own_listener)
        return script + "set --\n" + std::string(add_place) +
               fmt::format("exec {} SUBMISSION=1 \\\n    qmail-smtpd{} \"$@\" -x {} {}\n", environment(plan),
                           tls, rules, connections);
    const Owner owner = plan.identity.of(Role::qmaild);
    return script +
           fmt::format(
               "exec {} SUBMISSION=1 \\\n    tcpserver -v -R -H -l \"$(head -n 1 control/me)\" {} \\\n"
               "    -x {}{} \"$address\" \"$port\" qmail-smtpd{}\n",
               environment(plan), connections, rules,
               plan.identity.single ? "" : fmt::format(" -u {} -g {}", owner.uid, owner.gid), tls);
}

std::string pop3d_script(const Plan& plan, const std::string& file, std::size_t number) {
    const std::string beginning =
        opening(plan, fmt::format("The POP3 server on the address and port in line {} of "
                                  "control/{}. Accounts: qmail-passwd.",
                                  number, file)) +
        fmt::format("read -r address port <<END\n$(sed -n {}p control/{})\nEND\n", number, file);
    const std::string_view tls = file == "pop3slisten" ? "--tls " : "";
    if (plan.own_listener)
        return beginning + "kind=\nset --\n" + std::string(add_place) +
               fmt::format("exec {} \\\n    qmail-popd {}\"$@\" -c 100\n", environment(plan), tls);
    // Each of the two comes with the other: the first opens the channel, the second says through it who has
    // logged in.
    const bool opens = ::access(program("open-smtp-channel").c_str(), X_OK) == 0;
    return beginning +
           fmt::format(
               "exec {} \\\n    tcpserver -v -R -H -l \"$(head -n 1 control/me)\" -c 100 \"$address\" "
               "\"$port\" \\\n"
               "    qmail-popup {}\"$(head -n 1 control/me)\" {}checkpassword {}qmail-pop3d Maildir\n",
               environment(plan), tls, opens ? "open-smtp-channel " : "", opens ? "open-smtp-allow " : "");
}

std::string log_script(const Plan& plan, const std::string& service) {
    const Owner owner = plan.identity.of(Role::qmaill);
    const std::string drop =
        plan.identity.single ? ""
        : plan.identity.named
            ? "setuidgid qmaill "
            : fmt::format("setpriv --reuid={} --regid={} --clear-groups ", owner.uid, owner.gid);
    const std::string directory = plan.home.path("log/" + service);
    return fmt::format(
               "#!/bin/sh\n# control/logsize: octets of a file, and how many files. To read them: "
               "tai64nlocal "
               "<{}/current\n{}read -r size files rest <<END\n$(head -n 1 {} 2>/dev/null)\nEND\n",
               directory, drop_root(plan), plan.home.control_file("logsize")) +
           "case $size in *[kK]*) unit=1024 ;; *[mM]*) unit=1048576 ;; *[gG]*) unit=1073741824 ;; *) unit=1 "
           ";; "
           "esac\n"
           "size=${size%%[!0-9]*}\n"
           "case $size in ''|0*|??????????*) size=16777215 unit=1 ;; esac\n"
           "size=$((size * unit))\n"
           "# What multilog takes.\n"
           "[ $size -ge 4096 ] || size=4096\n"
           "[ $size -le 16777215 ] || size=16777215\n"
           "case $files in ''|0*|1|*[!0-9]*|??????*) files=20 ;; esac\n" +
           fmt::format("exec {}multilog t s$size n$files {}\n", drop, directory);
}

std::string rules_text(const Plan& plan) {
    std::string text =
        "# Who may relay through us: RELAYCLIENT=\"\" allows it. After a change: qmailctl cdb, or\n"
        "#   tcprules tcp.smtp.cdb tcp.smtp.tmp <tcp.smtp\n"
        "# It counts for the next connection.\n";
    std::string rules = "127.0.0.1:allow,RELAYCLIENT=\"\"\n";
    const bool ipv6_here = !has_ipv6_rules(plan) && (plan.own_listener || plan.listen.front().address == "0");
    if (has_ipv6_rules(plan)) {
        text +=
            "# Rules for IPv6 addresses stand in tcp.smtp6: the tcprules of an IPv4-only ucspi-tcp refuses a "
            "whole file\n"
            "# for one of them. What stands here counts for the servers on IPv6 addresses too.\n";
    } else if (ipv6_here) {
        text +=
            "# The tcprules of relais and of ucspi-tcp-ipv6 understand IPv6 addresses; that of an IPv4-only "
            "ucspi-tcp\n"
            "# refuses the whole file for one of them (and leaves the old tcp.smtp.cdb).\n";
        rules += "::1:allow,RELAYCLIENT=\"\"\n";
    }
    return text + rules + offered_rules(true, ipv6_here) + ":allow\n";
}

std::string rules6_text() {
    return "# Rules for IPv6 clients. qmailctl cdb compiles them, followed by those of tcp.smtp, into "
           "tcp.smtp6.cdb, which\n"
           "# the servers on IPv6 addresses use. By hand:  cat tcp.smtp6 tcp.smtp | tcprules tcp.smtp6.cdb "
           "tcp.smtp6.tmp\n"
           "::1:allow,RELAYCLIENT=\"\"\n" +
           offered_rules(false, true);
}

}  // namespace relais::setup
