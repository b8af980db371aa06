// The rows of the table: one for each control file, in alphabetical order, with all that is said of it
// anywhere. Programs read a file by its row (control/setting.h); HACKING.md tells how to add one.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <string_view>

#include "control/table.h"

namespace relais::control::rows {

inline constexpr std::uint64_t unbounded = std::numeric_limits<std::uint64_t>::max();
inline constexpr std::uint64_t a_day = 86400;
inline constexpr std::uint64_t a_week = 7 * a_day;
inline constexpr std::uint64_t a_year = 366 * a_day;

// A line; an empty one is an empty value.
constexpr ControlFile line(std::string_view name, std::string_view reader, std::string_view fallback,
                           std::string_view meaning) {
    return {.name = name, .reader = reader, .kind = FileKind::line, .fallback = fallback, .meaning = meaning};
}
// A line that cannot be empty: an empty one means what a missing file does.
constexpr ControlFile text(std::string_view name, std::string_view reader, std::string_view fallback,
                           std::string_view meaning) {
    ControlFile row = line(name, reader, fallback, meaning);
    row.empty_is_missing = true;
    return row;
}
// A line of known words, separated by blanks.
constexpr ControlFile words(std::string_view name, std::string_view reader, std::string_view fallback,
                            std::string_view known, std::string_view meaning) {
    ControlFile row = line(name, reader, fallback, meaning);
    row.words = known;
    return row;
}
// A line; without the file, control/me.
constexpr ControlFile me_line(std::string_view name, std::string_view reader, std::string_view meaning) {
    ControlFile row = line(name, reader, "", meaning);
    row.me_default = true;
    return row;
}
constexpr ControlFile lines(std::string_view name, std::string_view reader, std::string_view fallback,
                            std::string_view meaning) {
    ControlFile row = line(name, reader, fallback, meaning);
    row.kind = FileKind::lines;
    return row;
}
constexpr ControlFile domains(std::string_view name, std::string_view reader, std::string_view meaning) {
    ControlFile row = line(name, reader, "", meaning);
    row.kind = FileKind::domains;
    return row;
}
constexpr ControlFile me_domains(std::string_view name, std::string_view reader, std::string_view meaning) {
    ControlFile row = domains(name, reader, meaning);
    row.me_default = true;
    return row;
}
// A count. What is outside of the bounds counts as the nearer one.
constexpr ControlFile number(std::string_view name, std::string_view reader, std::string_view fallback,
                             std::uint64_t least, std::uint64_t most, std::string_view meaning) {
    ControlFile row = line(name, reader, fallback, meaning);
    row.kind = FileKind::number;
    row.least = least;
    row.most = most;
    return row;
}
constexpr ControlFile number(std::string_view name, std::string_view reader, std::string_view fallback,
                             std::uint64_t least, std::string_view meaning) {
    return number(name, reader, fallback, least, unbounded, meaning);
}
constexpr ControlFile seconds(std::string_view name, std::string_view reader, std::string_view fallback,
                              std::uint64_t least, std::uint64_t most, std::string_view meaning) {
    ControlFile row = number(name, reader, fallback, least, most, meaning);
    row.unit = Unit::seconds;
    return row;
}
constexpr ControlFile octets(std::string_view name, std::string_view reader, std::string_view fallback,
                             std::string_view meaning) {
    ControlFile row = number(name, reader, fallback, 0, meaning);
    row.unit = Unit::octets;
    return row;
}
// 0 for no, any other number for yes.
constexpr ControlFile flag(std::string_view name, std::string_view reader, std::string_view fallback,
                           std::string_view meaning) {
    ControlFile row = number(name, reader, fallback, 0, meaning);
    row.unit = Unit::flag;
    return row;
}
// Never shown, nor read as lines: there may be a private key in it.
constexpr ControlFile pem(std::string_view name, std::string_view reader, std::string_view meaning) {
    ControlFile row = line(name, reader, "", meaning);
    row.kind = FileKind::pem;
    return row;
}
// Made from the file of the same name without ".cdb".
constexpr ControlFile database(std::string_view name, std::string_view reader, std::string_view meaning) {
    ControlFile row = line(name, reader, "", meaning);
    row.kind = FileKind::database;
    return row;
}

inline constexpr std::array table = {
    line("aliases", "newaliases local", "",
         "the file of aliases in sendmail's form, /etc/aliases say; newaliases makes aliases.cdb from it"),
    lines("authbearer", "authd", "", "a program that validates the tokens of XOAUTH2 and OAUTHBEARER"),
    seconds("authcache", "authd", "60", 0, a_day,
            "seconds for which a verified login is remembered; 0 is not at all"),
    line("authdovecot", "authd", "",
         "Dovecot's authentication socket, asked about logins that users/passwd does not know"),
    lines("authmechanisms", "smtpd",
          "LOGIN CRAM-MD5 PLAIN SCRAM-SHA-256 SCRAM-SHA-256-PLUS XOAUTH2 OAUTHBEARER",
          "what AUTH offers, in this order, where it can succeed"),
    flag("authplain", "smtpd popup", "0",
         "1: passwords may come in clear from everywhere, not only from loopback"),
    lines("authprogram", "authd", "",
          "a checkpassword program, asked about logins that users/passwd does not know; a second line, "
          "cram-md5, if it can"),
    lines("authsenders", "remote", "",
          "sender:host:port|user|password, where and as whom mail of a sender goes"),
    line("authsystem", "authd", "", "name of the PAM service for the system's users; empty is none"),
    lines("authtrusted", "authd popup", "",
          "addresses and networks of front ends (webmail, proxies): failed logins count for accounts only"),
    lines("badhelo", "smtpd", "", "HELO names that strangers may not say; * stands for anything"),
    lines("badmailfrom", "smtpd", "",
          "senders that are refused: user@domain, or @domain for all of it; * stands for anything"),
    lines("badmailfromnorelay", "smtpd", "", "senders that strangers may not use, in badmailfrom's form"),
    lines("badrcptto", "smtpd", "", "recipients that are refused, in badmailfrom's form"),
    words("bounceformat", "send", "qsbmf", "qsbmf dsn both",
          "how a failure is told: qsbmf (prose), dsn (RFC 3464), or both in one message"),
    text("bouncefrom", "send", "MAILER-DAEMON", "the user that bounces are from"),
    words("bouncehints", "send queue-list", "queue-list", "off queue-list bounces",
          "where hints on what other servers said are shown: the words queue-list, bounces; or off"),
    lines("bouncehints.local", "send queue-list", "", "the administrator's own hints, as in bouncehints(5)"),
    me_line("bouncehost", "send", "the domain that bounces are from"),
    octets("bouncemaxbytes", "send", "0",
           "octets of a message that go into its bounce at most; 0 is all of it"),
    lines("checks", "smtpd", "", "NAME off|log|tag|defer|refuse, what a check does with what it finds"),
    flag("chunking", "smtpd", "0", "1: BDAT is offered (RFC 3030): messages in pieces of a said length"),
    pem("clientca.pem", "smtpd popup",
        "certificates of those who sign client certificates, PEM; without it none is asked for"),
    number("concurrencyincoming", "service", "40", 1, "SMTP connections at once"),
    number("concurrencylocal", "send", "10", 0, 100'000, "local deliveries at once"),
    number("concurrencyqueue", "queued", "32", 1, 500,
           "messages from the network taken into the queue at once"),
    number("concurrencyremote", "send", "20", 0, 100'000, "remote deliveries at once"),
    number("concurrencysubmit", "queued", "20", 1, 200,
           "messages of one user of this machine taken in at once"),
    line("consoleaddress", "console", "",
         "ADDRESS:PORT of this host's own, 127.0.0.1:8025 say, where qmail-console is asked by HTTP"),
    lines("consolehosts", "console", "",
          "names by which browsers call qmail-console, mail.example.org:8025 say, beside its own address; "
          "`forwarded` behind one: the client is what its proxy adds to X-Forwarded-For"),
    flag("dane", "remote", "0",
         "1: servers with TLSA records are held to them (DANE), where the resolver validates (dnsanchors)"),
    octets("databytes", "smtpd", "0", "the largest message in octets; 0 is no limit"),
    seconds("deadlinelocal", "lspawn", "86400", 0, a_year,
            "seconds after which a local delivery is ended whatever it does; 0 is never"),
    lines("defaultdelivery", "start", "./Maildir/", "the delivery of users without a .qmail file"),
    me_line("defaultdomain", "inject", "added to host names without a dot"),
    me_line("defaulthost", "inject", "added to addresses without a host name"),
    seconds("delaywarning", "send", "0", 0, std::uint64_t{1} << 40,
            "seconds until the sender of undelivered mail is warned, once; 0: never"),
    flag("deliverby", "smtpd", "0",
         "1: logins and RELAYCLIENT may say by when a message is to be delivered (DELIVERBY)"),
    lines("destinationlimits", "send", "",
          "domain:connections:messages:rate, the most for a domain: at once, on one connection, a second"),
    lines("dkimusers", "send", "",
          "USER:DOMAIN ..., in whose names the mail of a user's programs is signed (DKIM); root's: all"),
    words("dmarc", "smtpd", "off", "off log refuse",
          "off, log or refuse: mail that fails the DMARC policy of its From domain, p=reject"),
    lines("dmarcexempt", "smtpd", "",
          "addresses, networks and domains of From that dmarc refuses nothing of"),
    line("dnsanchors", "resolver", "", "a file of DNSSEC trust anchors; with it answers are validated"),
    lines("dnsbllist", "smtpd", "",
          "lists in DNS that strangers are looked up in, with weights, and what a score leads to"),
    lines("dnsservers", "resolver", "", "the DNS servers to ask instead of those of /etc/resolv.conf"),
    lines("domainips", "remote", "",
          "domain:address,address|name, our address and name by sender (@domain) or recipient"),
    me_line("doublebouncehost", "send", "the domain that bounces of bounces go to"),
    text("doublebounceto", "send", "postmaster", "the user that bounces of bounces go to"),
    lines("dsnfrom", "smtpd", "",
          "addresses and networks that may ask for delivery reports (DSN) beside logins and RELAYCLIENT; "
          "without the file nobody may"),
    flag("enhancedcodes", "smtpd", "0",
         "1: after EHLO replies have an enhanced status code (RFC 2034) before their text"),
    me_line("envnoathost", "send", "the domain of recipients without one"),
    seconds("futurerelease", "smtpd", "0", 0, 999'999'999,
            "seconds for which logins and RELAYCLIENT may have a message kept before it is sent "
            "(FUTURERELEASE); 0: not at all"),
    seconds("greetdelay", "smtpd", "0", 0, 60,
            "seconds before strangers are greeted; who speaks before is an early talker"),
    seconds("greylistdelay", "smtpd", "300", 1, a_day,
            "seconds before a new sender is believed to come back, where greylist is not off"),
    me_line("helohost", "remote smtpd", "the name that is said to other servers"),
    number("holddays", "send", "0", 0, 3660,
           "days after which strangers' mail that was held on arrival ends without a bounce; 0: never"),
    me_line("idhost", "inject", "the domain of the message ids made here"),
    line("ipversions", "remote", "64", "4, 6, 46 or 64: the families of addresses used, the first one first"),
    line("keeptrace", "traced smtpd send", "",
         "DAYS OCTETS: how long and how much qmail-trace remembers of messages, 14 1G say; without it "
         "nothing"),
    lines("limitslocal", "local", "",
          "NAME NUMBER: nproc, as, data, cpu, fsize, nofile or core, what a program of a local delivery may "
          "use"),
    lines("lmtproutes", "remote", "",
          "domain:host:port or domain:/path, the LMTP server that stores mail for a domain"),
    me_line("localiphost", "smtpd",
            "the domain that an address of this machine, as in user@[192.0.2.1], stands for"),
    me_domains("locals", "send", "domains whose mail is delivered here, to users"),
    words("localsenders", "smtpd", "off", "off warn enforce",
          "off, warn or enforce: outsiders may not use senders of locals and virtualdomains"),
    words("logformat", "smtpd send", "classic", "classic json",
          "json: the lines of messages, refusals and deliveries as JSON objects"),
    line("logsize", "service", "16M 20",
         "OCTETS FILES: how large a file of a log becomes, 16M at most, and how many there are"),
    words("mailauth", "smtpd", "off", "off on",
          "on: SPF, DKIM, DMARC and ARC are verified and written into Authentication-Results"),
    number("maxrcpt", "smtpd", "1000", 1, "recipients of a message from the network at most"),
    line("me", "all", "", "this host's name; many files fall back on it"),
    line("metricsaddress", "metrics", "",
         "ADDRESS:PORT of this host's own (127.0.0.1:9925, [::1]:9925) where qmail-metrics is asked by HTTP"),
    lines("milters", "smtpd milterd", "",
          "milters that see mail from the network, in this order: inet:PORT@HOST or unix:PATH, then words"),
    number("minimumuid", "lspawn", "1", 0,
           "the lowest uid that gets deliveries without a line in users/assign"),
    lines("morercpthosts", "newmrh", "", "more of rcpthosts; qmail-newmrh makes the cdb from it"),
    database("morercpthosts.cdb", "smtpd", "more of rcpthosts, for many domains"),
    flag("mtasts", "remote", "0",
         "1: domains with a policy (MTA-STS) that is to be enforced get mail only as it says"),
    line("mtastsca", "remote stsd", "/etc/ssl/certs/ca-certificates.crt",
         "authorities for the certificates of policies' servers and of the mail servers they name, PEM"),
    flag("mtpriority", "smtpd", "0",
         "1: logins and RELAYCLIENT may say what goes before other mail (MT-PRIORITY)"),
    lines("opensmtpexclude", "open-smtpd smtpd", "",
          "addresses and networks whose logins open nothing: proxies, webmail, NAT gateways"),
    line("opensmtpfile", "smtpd", "", "the open-smtp of a vpopmail; its entries count as long as ours"),
    seconds("opensmtplifetime", "smtpd open-smtpd", "10800", 0, a_year,
            "seconds after a login that its address may relay"),
    flag("opensmtpnorbl", "open-smtp", "0", "1: what open-smtp export and rules write sets RBLSMTPD"),
    number("opensmtpprefix6", "open-smtpd smtpd", "128", 0, 128,
           "64: a login over IPv6 opens the client's /64, not only its address"),
    lines("outgoingip", "remote", "", "our address for connections to servers, one of each family"),
    lines("owners", "all", "", "the uid and gid of each role; written by qmail-setup"),
    domains("percenthack", "send", "domains at which user%host means user@host"),
    line("perip", "smtpd popup", "0",
         "clients at once from one address, or N% of all the listener takes; 0 is no limit"),
    me_line("plusdomain", "inject", "added to host names that end with a plus"),
    lines("pop3listen", "service", "", "ADDRESS PORT of each POP3 server"),
    lines("pop3slisten", "service", "", "ADDRESS PORT of each POP3 server with TLS from the first octet"),
    domains("privatemx", "remote", "domains whose servers may have private or loopback addresses"),
    flag("proctitle", "smtpd remote local inject", "0",
         "1: ps shows no addresses, of mail or of clients, in the titles of processes"),
    lines("proxyhosts", "smtpd", "",
          "addresses and networks of proxies that may say whose connection it is, where the listener asks "
          "them (PROXY)"),
    lines("qmqpservers", "qmqpc", "",
          "servers that take the mail of a host without a queue, by QMQP: an address, or one with its port"),
    seconds("queuelifetime", "send", "604800", 0, std::uint64_t{1} << 40,
            "seconds after which undelivered mail bounces"),
    line("queueminfree", "queued", "0",
         "free space of the queue below which no message is taken: octets, percent%, or both: the smaller; 0 "
         "is none"),
    lines("ratelimits", "smtpd", "",
          "WHAT of WHOM NUMBER/SPAN: messages, recipients, refused of network, login, domain: the most in a "
          "while; `hold` behind a login's: it sends nothing more until qmail-counts --release"),
    domains("rcpthosts", "smtpd", "domains whose mail is accepted from everybody"),
    flag("receivedauth", "smtpd", "0", "1: the Received field names the login"),
    lines("recipientcheck", "smtpd", "off",
          "off, log or on, then DOMAIN off|log|on: what becomes of recipients without a mailbox here"),
    flag("refusalid", "smtpd", "0", "1: a refusal has its id, for qmail-trace --why, behind its text"),
    number("refusedlimit", "smtpd", "0", 0,
           "refused recipients without an accepted one, then 421; not for logins and RELAYCLIENT; 0 is no "
           "limit"),
    seconds("refusedpause", "smtpd", "0", 0, 60,
            "seconds before each refusal of a recipient from the fifth on"),
    flag("refusenul", "smtpd", "0", "1 refuses messages with NUL octets"),
    text("relaydenied", "smtpd", "sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)",
         "what a client is told who may not relay, after the code 553"),
    seconds("remoteidle", "remote", "5", 0, a_week, "seconds that a connection is kept for the next message"),
    number("remotemessages", "remote", "100", 1, "messages on one connection at most"),
    lines("senderlogins", "smtpd", "",
          "off, warn or enforce, then LOGIN SENDER...: senders that logins may use"),
    pem("servercert.key", "keyd", "the private key, where servercert.pem does not hold it, PEM"),
    pem("servercert.pem", "keyd",
        "the certificate of the servers with its chain and its private key, PEM; without it no TLS is "
        "offered"),
    words("sessionreuse", "smtpd", "same", "same any off",
          "same, any or off: who may come after a client into one process of the listener"),
    me_line("smtpgreeting", "smtpd", "the greeting; its first word is the server's name"),
    flag("smtplimits", "smtpd", "0", "1: EHLO says how many recipients a message may have (LIMITS)"),
    lines("smtplisten", "service", "0 25", "ADDRESS PORT of each SMTP server"),
    lines("smtproutes", "remote", "",
          "domain:host:port|user|password, the server for a domain instead of its MX"),
    flag("smtputf8", "smtpd popup pop3d", "0", "1: addresses and headers in UTF-8 are taken (SMTPUTF8)"),
    number("spfbehavior", "smtpd", "0", 0, 6,
           "1: Received-SPF; 2: defer without DNS; refuse 3: fail, 4: softfail, 5: neutral, 6: all but pass"),
    line("srs_domain", "local rcptd", "",
         "the domain of senders that are rewritten (SRS) where mail is forwarded; without it none is"),
    lines("srs_secrets", "local rcptd", "",
          "secrets of rewritten senders: the first one signs, all are believed; only qmailp may read it"),
    seconds(
        "stresstimeout", "smtpd popup", "0", 0, a_day,
        "seconds to wait for a command when three quarters of the listener's places are taken; 0: no less "
        "than ever"),
    line("strict8bit", "remote", "0", "anything but 0 bounces 8-bit mail for servers without 8BITMIME"),
    flag("submissionauth", "smtpd", "1", "0: a submission server takes mail without a login"),
    lines("submissionlisten", "service", "", "ADDRESS PORT of each submission server"),
    lines("submissionslisten", "service", "",
          "ADDRESS PORT of each submission server with TLS from the first octet"),
    flag("submissiontls", "smtpd", "1", "0: a submission server takes logins without TLS"),
    line("summary", "summary console", "",
         "daily or weekly, and an address by choice, without one the postmaster: when a summary of the mail "
         "is "
         "sent, and to whom; without it none"),
    number("tarpitcount", "smtpd", "0", 0,
           "recipients of one connection before the pauses; not for logins and RELAYCLIENT; 0 is no pause"),
    seconds("tarpitdelay", "smtpd", "5", 0, 300,
            "seconds before each recipient that is more than tarpitcount"),
    seconds("timeoutconnect", "remote", "60", 1, a_week, "seconds to wait for a connection"),
    seconds("timeoutdns", "resolver", "30", 1, 3600, "seconds to wait for an answer of the DNS"),
    seconds("timeoutlocal", "lspawn", "0", 0, a_year,
            "seconds that a program of a local delivery may take; 0 is no limit"),
    seconds("timeoutpop3d", "popup, pop3d", "1200", 1, a_day, "seconds to wait for a client"),
    seconds("timeoutremote", "remote", "1200", 1, a_week, "seconds to wait for a server's reply"),
    seconds("timeoutsmtpd", "smtpd", "1200", 1, a_day, "seconds to wait for a client"),
    lines("tlsclients", "smtpd", "",
          "subjects of client certificates that may relay, or addresses of mail in them"),
    lines("tlsdestinations", "remote", "",
          "destination:none|may|encrypt|verify|fingerprint, how mail to a server is protected"),
    seconds("tlsmemory", "remote", "0", 0, a_year,
            "seconds for which a server that was encrypted is held to it; 0: not at all"),
    text("tlsminversion", "smtpd popup", "1.2",
         "the lowest version of TLS that servers speak: 1.0, 1.1, 1.2 or 1.3"),
    line("tlsserverciphers", "smtpd popup", "",
         "ciphers of TLS 1.2 that servers offer, in OpenSSL's words; empty is a good list"),
    seconds("tlsticketlifetime", "keyd", "21600", 1, a_week,
            "seconds for which one key seals the sessions of TLS clients"),
    database("validrcptto.cdb", "smtpd",
             "the recipients there are, USER@DOMAIN or @DOMAIN, where recipientcheck is on or log"),
    lines("virtualdomains", "send", "", "domain:prefix, mail for domain goes to prefix-user here"),
    lines("xclient", "smtpd", "",
          "addresses and networks of front ends that may say for whom they speak (XCLIENT, XFORWARD); behind "
          "one, login: also who has logged in"),
};

}  // namespace relais::control::rows
