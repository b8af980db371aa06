#include "remote/requiretls.h"

#include "base/text.h"
#include "mail/header.h"
#include "mail/null_sender.h"

namespace relais::remote {

bool tls_is_not_required(const std::vector<std::string>& fields) {
    std::size_t seen = 0;
    bool no = false;
    for (const std::string& field : fields) {
        const auto name = mail::field_name(field);
        if (!name || !equal_ignoring_case(*name, "TLS-Required")) continue;
        ++seen;
        no = equal_ignoring_case(trim(mail::field_body(field)), "No");
    }
    return no && seen == 1;
}

TlsPolicy without_requirement(const TlsPolicy& policy) {
    TlsPolicy open = policy;
    if (open.required()) open.level = TlsLevel::may;
    open.ca_file.clear();
    open.names.clear();
    open.digests.clear();
    return open;
}

bool is_report(std::string_view sender) {
    return mail::is_null_sender(sender);
}

TlsPolicy with_requiretls(const TlsPolicy& policy, const std::string& server,
                          const std::string& authorities) {
    TlsPolicy strict = policy;
    strict.by_message = true;
    if (policy.authenticates_server()) return strict;
    strict.level = TlsLevel::verify;
    strict.ca_file = authorities;
    strict.names = {server};
    return strict;
}

bool names_the_server(const TlsPolicy& policy) {
    return policy.level == TlsLevel::fingerprint ||
           (policy.level == TlsLevel::verify && policy.policy_of.empty() && !policy.names.empty());
}

bool vouches_for(const sts::Found& found, const std::string& server) {
    return found.state == sts::Found::State::policy && found.policy.mode != sts::Mode::none &&
           sts::admits(found.policy, server);
}

Verdict nobody_vouches(const std::string& domain, const std::string& server) {
    return {Letter::permanent,
            "Sorry, this message asks for protected transport (REQUIRETLS), and neither DNSSEC "
            "nor a policy (MTA-STS) says that " +
                server + " is a server of " + domain + ". (#5.7.10)\n"};
}

Verdict requiretls_not_offered(const std::string& ip) {
    return {Letter::permanent,
            "Connected to " + ip +
                " but the message asks for protected transport on its whole way, and it does not offer "
                "REQUIRETLS. (#5.7.30)\n"};
}

}  // namespace relais::remote
