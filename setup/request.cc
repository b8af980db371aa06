#include "setup/request.h"

#include <arpa/inet.h>
#include <pwd.h>
#include <unistd.h>

#include "base/error.h"
#include "setup/identity.h"

namespace relais::setup {
namespace {

Identity choose_identity(const Request& request, std::vector<std::string>& report) {
    if (::geteuid() != 0) {
        if (!request.user.empty() || request.numbers != 0)
            throw_permanent("only root can make an instance for somebody else");
        return identity_of_user(::geteuid(), ::getegid());
    }
    if (request.numbers != 0) return identity_of_numbers(request.numbers);
    if (request.user.empty()) return identity_of_system(request.directory, report);
    const struct passwd* entry = ::getpwnam(request.user.c_str());
    if (entry == nullptr) throw_permanent("there is no user " + request.user);
    return identity_of_user(entry->pw_uid, entry->pw_gid);
}

bool is_address(const std::string& text) {
    unsigned char octets[16];
    return text == "0" || ::inet_pton(AF_INET, text.c_str(), octets) == 1 ||
           ::inet_pton(AF_INET6, text.c_str(), octets) == 1;
}

// An ordinary user gets a port above 1023.
unsigned choose_port(const Request& request, unsigned port) {
    return ::geteuid() == 0 && request.user.empty() ? port : port == 25 ? 2525 : 2000 + port;
}

std::vector<Listen> choose_listen(const Request& request, unsigned port) {
    std::vector<Listen> all;
    for (const std::string& address :
         request.listen.empty() ? std::vector<std::string>{"0"} : request.listen) {
        if (!is_address(address)) throw_permanent("this is not an address to listen on: " + address);
        all.push_back({address == "::" ? "0" : address, port});
    }
    return all;
}

void refuse_odd_names(const Request& request) {
    constexpr std::string_view plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_";
    if (request.me.empty() || request.me.find_first_not_of(plain) != std::string::npos)
        throw_permanent("--me must be this host's full name, as in mail.example.org");
    if (request.domain.find_first_not_of(plain) != std::string::npos)
        throw_permanent("--domain must be one domain, as in example.org");
    if (request.admin.find_first_of("\n\r") != std::string::npos)
        throw_permanent("--admin must be one address");
}

// Empty for the port 0.
std::vector<Listen> choose_listen(const Request& request, std::optional<unsigned> port, unsigned usual) {
    const unsigned chosen = port.value_or(choose_port(request, usual));
    return chosen != 0 ? choose_listen(request, chosen) : std::vector<Listen>{};
}

}  // namespace

Plan plan_of_request(const Request& request, std::vector<std::string>& report) {
    refuse_odd_names(request);
    Plan plan{control::Home(request.directory),
              choose_identity(request, report),
              request.me,
              request.admin,
              choose_listen(request, request.port != 0 ? request.port : choose_port(request, 25)),
              request.own_listener,
              request.domain};
    plan.pop3 = choose_listen(request, request.pop3_port, 110);
    plan.pop3s = choose_listen(request, request.pop3s_port, 995);
    plan.submission = choose_listen(request, request.submission_port, 587);
    plan.submissions = choose_listen(request, request.submissions_port, 465);
    return plan;
}

}  // namespace relais::setup
