// What is wrong with who may relay, whoever the client: relay-explain --audit.
#pragma once

#include <string>
#include <vector>

#include "control/home.h"
#include "explain/listener.h"
#include "explain/rules_of_client.h"

namespace relais::explain {

enum class Level {
    open_relay,       // strangers send through the server now
    open_relay_soon,  // ... as soon as the cdb is made of its text
    wrong,
    note,
};

struct AuditFinding {
    Level level;
    std::string text;
    std::string remedy;  // "" if there is none, or it is said by the text
};

// Looks at every SMTP server, its rules and the control files. The worst first. What cannot be read is a
// finding too.
std::vector<AuditFinding> audit(const control::Home& home);
// Findings about the rules of one server.
void audit_rules(const Listener& listener, const RulesOfServer& rules, std::int64_t lifetime,
                 std::vector<AuditFinding>& findings);
// Findings about the variables that they set.
void audit_variables(const control::Home& home, const RulesOfServer& rules,
                     std::vector<AuditFinding>& findings);
// Programs on this host connect by 127.0.0.1 and by ::1, to one server or to two.
void audit_loopback(const std::vector<Listener>& all, std::vector<AuditFinding>& findings);

std::string to_text(const std::vector<AuditFinding>& findings);
std::string to_json(const std::vector<AuditFinding>& findings);
// True if there is something to mend, beyond notes.
bool is_bad(const std::vector<AuditFinding>& findings);

// How many addresses of the public Internet a key of a rules cdb stands for: IPv4 addresses, and IPv6
// networks of 32 bits (parts of one too). Pure.
struct Breadth {
    double ipv4 = 0;
    double ipv6 = 0;
};
Breadth breadth_of_key(std::string_view key);

}  // namespace relais::explain
