// The SMTP servers of an instance as their run scripts start them: where they listen and which rules they go
// by.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/home.h"

namespace relais::explain {

struct Listener {
    std::string name;     // of the service: qmail-smtpd, qmail-smtpd2 ...
    std::string address;  // "0": every address of both families; "": not known
    std::string port;
    std::string rules;        // path of the cdb; "" for none
    bool tcpserver = true;    // false: qmail-smtpd's own listener
    bool names = false;       // clients' names are looked up, so rules by name can match
    bool relays_all = false;  // the run script itself sets RELAYCLIENT
    bool submission = false;  // for our own users alone

    bool takes(bool ipv6) const;
    // "qmail-smtpd, 127.0.0.1 port 25".
    std::string text() const;
};

// What a run script says; nothing if it starts no SMTP server. Pure.
std::optional<Listener> parse_run_script(std::string name, std::string_view script);

// Every SMTP server below service/. Without one, a server with the rules tcp.smtp.cdb of the instance or of
// /etc.
std::vector<Listener> find_listeners(const control::Home& home);
// The one that is called so, or that goes by this cdb (a path); without a name the first for everybody that a
// client of this family can reach, else the first. Throws a permanent Error that lists the names there are.
Listener choose_listener(const std::vector<Listener>& all, const std::string& name, bool ipv6);

// The texts that this cdb is compiled from, in their order (setup/databases.h): the file beside it, and for
// tcp.smtp6 also tcp.smtp.
std::vector<std::string> sources_of(const std::string& cdb);

}  // namespace relais::explain
