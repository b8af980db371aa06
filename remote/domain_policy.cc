#include "remote/domain_policy.h"

#include "base/text.h"

namespace relais::remote {

sts::Found find_domain_policy(net::Resolver& resolver, sts::Policies& policies, const std::string& domain,
                              Seconds timeout_dns) {
    sts::Question question{lower(domain), ""};
    if (!sts::is_domain(question.domain)) {
        sts::Found none;
        none.state = sts::Found::State::none;
        none.reason = "it is no name that could have one";
        return none;
    }
    // Without an answer it is as if there were no record: a policy that is known counts all the same.
    const net::DnsAnswer answer =
        resolver.ask(net::RecordType::txt, "_mta-sts." + question.domain, Deadline::in(timeout_dns));
    std::vector<std::string> records;
    for (const net::DnsRecord& record : answer.records) records.push_back(record.text);
    question.id = sts::policy_id(records).value_or("");
    constexpr Seconds longer{10};
    return policies.ask(question, Deadline::in(sts::answer_patience + longer));
}

bool is_enforced(const sts::Found& found) {
    return found.state == sts::Found::State::policy && found.policy.mode == sts::Mode::enforce;
}

TlsPolicy with_domain_policy(const TlsPolicy& policy, const std::string& domain, const std::string& server,
                             const std::string& authorities) {
    TlsPolicy strict = policy;
    strict.level = TlsLevel::verify;
    strict.ca_file = authorities;
    strict.names = {server};
    strict.policy_of = lower(domain);
    return strict;
}

Verdict domain_policy_unknown(const std::string& domain) {
    return {Letter::temporary, "Sorry, I couldn't find out whether " + domain +
                                   " has a policy (MTA-STS): qmail-stsd does not answer. (#4.3.0)\n"};
}

Verdict not_admitted(const std::string& domain, const std::string& server) {
    return {Letter::temporary,
            "Sorry, the policy of " + domain + " (MTA-STS, enforce) does not name its server " + server +
                ". Nothing is sent to that server before the administrator of " + domain +
                " has corrected the policy or the MX record, unless control/tlsdestinations has a line for "
                "it. (#4.7.5)\n"};
}

}  // namespace relais::remote
