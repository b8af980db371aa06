// What an instance consists of: one table of paths, owners, modes and first contents. qmail-setup creates,
// checks and repairs by it, and nothing else knows it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "control/home.h"
#include "setup/identity.h"
#include "setup/tree.h"

namespace relais::setup {

// Unix socket paths end at 107 octets.
inline constexpr std::size_t home_length_limit = 107 - std::string_view("/sockets/queue-network").size();

enum class Kind {
    directory,
    file,      // has exactly this mode
    settings,  // the administrator's: must be readable by all and writable by its owner alone
    script,    // executable
    secret,    // the administrator's: must be closed to everybody else
};

struct Piece {
    std::string path;  // below the instance
    Kind kind = Kind::directory;
    control::Owner owner{};
    mode_t mode = 0;
    std::function<std::string()> content;  // what a new one holds; not called for a directory
    bool vital = true;                     // false: the administrator may have removed it
};

// Where the SMTP server listens: a line "ADDRESS PORT" of control/smtplisten each. The n-th line is the n-th
// tcpserver.
struct Listen {
    std::string address;  // "0" is every address of both families
    unsigned port = 25;
    bool proxied = false;  // "proxy" behind it: connections come from the proxies of control/proxyhosts
    bool ipv6() const { return address.find(':') != std::string::npos; }
};

struct Plan {
    control::Home home;
    Identity identity;
    std::string me;
    std::string
        admin;  // where mail for root, postmaster and mailer-daemon goes; "" = the alias user's Maildir
    std::vector<Listen> listen;
    bool own_listener = false;  // qmail-smtpd -l in place of tcpserver
    std::string domain = {};    // of the users' addresses, for a new instance; "" = me, as it has no other
    std::vector<Listen> pop3 =
        {};  // where the POP3 server listens: control/pop3listen, as smtplisten; empty: no server
    std::vector<Listen> submission = {};    // mail of our own users: control/submissionlisten
    std::vector<Listen> submissions = {};   // the same, TLS from the first octet: control/submissionslisten
    std::vector<Listen> pop3s = {};         // POP3 with TLS from the first octet: control/pop3slisten
    std::shared_ptr<const Tree> tree = {};  // nothing before the instance is made
};

// The plan of an instance that exists. Throws a permanent Error if control/owners is missing or wrong, or if
// the directory is not that of whom control/owners says.
Plan plan_of_instance(const control::Home& home);

std::vector<Piece> layout(const Plan& plan);

// True if a tcpserver listens on an IPv6 address alone: its rules are tcp.smtp6 and tcp.smtp. Everything
// else, also a server for both families, has those of tcp.smtp.
bool has_ipv6_rules(const Plan& plan);

// The supervised services: qmail-send, qmail-smtpd, and qmail-smtpd2 ... for further addresses; qmail-pop3d
// in the same way.
std::vector<std::string> service_names(const Plan& plan);
// "qmail-smtpd", "qmail-smtpd2" ...: the service of the n-th line of a file like control/smtplisten.
std::string numbered_service(const std::string& name, std::size_t number);

// Programs an instance cannot do without.
extern const std::vector<std::string> vital_programs;

}  // namespace relais::setup
