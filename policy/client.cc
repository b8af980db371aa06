#include "policy/client.h"

#include <cstdlib>

#include "base/text.h"
#include "control/amount.h"
#include "net/socket.h"

namespace relais::policy {
namespace {

std::optional<std::string> connection_variable(const Client::Variables& variable, const std::string& name) {
    auto value = variable("TCP" + name);
    return value ? value : variable("TCP6" + name);
}

// The address in its one spelling (a mapped IPv4 address as IPv4), or whatever was there.
std::string address_variable(const Client::Variables& variable, const std::string& name,
                             std::string_view fallback) {
    const auto value = connection_variable(variable, name);
    if (!value || value->empty()) return std::string(fallback);
    return net::canonical_address(*value).value_or(*value);
}

}  // namespace

Client Client::from_environment() {
    return from([](const std::string& name) {
        const char* value = std::getenv(name.c_str());
        return value != nullptr ? std::optional<std::string>(value) : std::nullopt;
    });
}

Client Client::from(const Variables& variable) {
    Client client;
    client.ip = address_variable(variable, "REMOTEIP", "unknown");
    client.host = connection_variable(variable, "REMOTEHOST");
    client.port = connection_variable(variable, "REMOTEPORT");
    client.info = connection_variable(variable, "REMOTEINFO");
    client.local_ip = address_variable(variable, "LOCALIP", "unknown");
    client.local_name = connection_variable(variable, "LOCALHOST").value_or(client.local_ip);
    client.relayclient = variable("RELAYCLIENT");
    // A value of blanks alone is a slip of the pen in tcp.smtp; appended it would spoil every address.
    if (client.relayclient && trim(*client.relayclient).empty()) client.relayclient = "";
    if (const auto databytes = variable("DATABYTES")) client.databytes = control::parse_amount(*databytes);
    if (const auto count = variable("TARPITCOUNT")) client.tarpit_count = control::parse_amount(*count);
    if (const auto delay = variable("TARPITDELAY")) client.tarpit_delay = control::parse_amount(*delay);
    if (const auto delay = variable("GREETDELAY")) client.greet_delay = control::parse_amount(*delay);
    client.rblsmtpd = variable("RBLSMTPD");
    client.fixcrio = variable("FIXCRIO").has_value();
    const std::string domains = variable("FROMDOMAINS").value_or("");
    for (const std::string_view domain : split(domains, ' '))
        if (!domain.empty()) client.may_use.push_back((domain.starts_with('@') ? "" : "@") + lower(domain));
    client.submission = variable("SUBMISSION").value_or("0") != "0";
    client.refuse_nul = variable("REFUSENUL").has_value();
    return client;
}

}  // namespace relais::policy
