#include "milter/macros.h"

#include "mail/address.h"

namespace relais::milter {

Macros connect_macros(const Facts& session) {
    const auto value = [&](std::string_view name) { return std::string(fact(session, name)); };
    const std::string host = value("host").empty() ? "unknown" : value("host");
    const bool is_v6 = value("ip").find(':') != std::string::npos;
    return {{"j", value("me")},
            {"_", host + " [" + (is_v6 ? "IPv6:" : "") + value("ip") + "]"},
            {"v", "relais"},
            {"daemon_name", "qmail-" + value("service")},
            {"daemon_addr", value("local_ip")},
            {"if_name", value("local_name")},
            {"if_addr", value("local_ip")},
            {"client_addr", value("ip")},
            {"client_name", host},
            {"client_ptr", host},
            {"client_port", value("port")},
            {"client_resolve", host == "unknown" ? "FAIL" : "OK"}};
}

Macros helo_macros(const Facts& session) {
    Macros macros;
    for (const std::string_view name :
         {"tls_version", "cipher", "cipher_bits", "cert_subject", "cert_issuer"})
        macros.emplace_back(name, fact(session, name));
    return macros;
}

Macros mail_macros(const Facts& mail) {
    const std::string_view sender = fact(mail, "sender");
    return {{"i", std::string(fact(mail, "id"))},
            {"auth_type", std::string(fact(mail, "mechanism"))},
            {"auth_authen", std::string(fact(mail, "auth"))},
            {"auth_author", std::string(fact(mail, "auth"))},
            {"mail_mailer", "smtp"},
            {"mail_host", std::string(mail::split_address(sender).domain)},
            {"mail_addr", std::string(sender)}};
}

}  // namespace relais::milter
