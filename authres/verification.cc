#include "authres/verification.h"

#include <fmt/core.h>

namespace relais::authres {
namespace {

MethodResult spf_result(const VerifiedMessage& verified, const SpfQuestion& question) {
    MethodResult result{"spf", std::string(to_text(verified.spf.result))};
    if (verified.spf.result != SpfResult::pass) result.reason = verified.spf.reason;
    if (verified.spf.of_helo)
        result.properties.emplace_back("smtp.helo", question.helo);
    else
        result.properties.emplace_back("smtp.mailfrom", question.sender);
    return result;
}

MethodResult dkim_result(const DkimVerdict& verdict) {
    MethodResult result{"dkim", std::string(to_text(verdict.result))};
    if (verdict.testing) result.comment = "the key is being tested";
    if (verdict.result != DkimResult::pass || verdict.unsigned_octets > 0) result.reason = verdict.reason;
    for (const auto& [name, value] : {std::pair{"header.d", &verdict.domain},
                                      {"header.i", &verdict.identity},
                                      {"header.s", &verdict.selector},
                                      {"header.a", &verdict.algorithm},
                                      {"header.b", &verdict.signature_begin}})
        if (!value->empty()) result.properties.emplace_back(name, *value);
    return result;
}

MethodResult dmarc_result(const DmarcOutcome& dmarc) {
    MethodResult result{"dmarc", std::string(to_text(dmarc.result))};
    if (!dmarc.policy_domain.empty())
        result.comment = fmt::format("p={}{} of {}", to_text(dmarc.published), dmarc.testing ? " t=y" : "",
                                     dmarc.policy_domain);
    if (dmarc.result != DmarcResult::pass && dmarc.result != DmarcResult::none) result.reason = dmarc.reason;
    if (!dmarc.from_domain.empty()) result.properties.emplace_back("header.from", dmarc.from_domain);
    return result;
}

MethodResult arc_result(const VerifiedMessage& verified, const SpfQuestion& question) {
    MethodResult result{"arc", std::string(to_text(verified.arc.result))};
    if (verified.arc.sets > 0) result.comment = fmt::format("i={}", verified.arc.sets);
    if (verified.arc.result == ArcResult::fail || verified.arc.result == ArcResult::temperror)
        result.reason = verified.arc.reason;
    if (verified.arc.sets > 0 && !question.ip.empty())
        result.properties.emplace_back("smtp.remote-ip", question.ip);
    return result;
}

}  // namespace

void Verification::Sink::header(const MessageHeader& header) {
    dkim.header(header, hashes);
    arc.header(header, hashes);
}

void Verification::end_message() {
    reader_.finish();
    sink_.hashes.finish();
}

VerifiedMessage Verification::finish(Dns& dns, const SpfQuestion& spf, Deadline deadline,
                                     const SpfOutcome* known, DmarcExtent extent) {
    VerifiedMessage verified;
    verified.spf_checked = !spf.ip.empty();
    if (verified.spf_checked) verified.spf = known != nullptr ? *known : check_spf(dns, spf, deadline);
    verified.dkim = sink_.dkim.finish(dns, sink_.hashes, spf.now, deadline);
    verified.arc = sink_.arc.finish(dns, sink_.hashes, deadline);
    verified.dmarc = check_dmarc(dns, header(), verified.spf, verified.dkim, deadline, extent);
    return verified;
}

AuthenticationResults to_results(const VerifiedMessage& verified, const SpfQuestion& question,
                                 std::string_view server) {
    AuthenticationResults results{std::string(server), {}};
    if (verified.spf_checked) results.methods.push_back(spf_result(verified, question));
    for (const DkimVerdict& verdict : verified.dkim.signatures)
        results.methods.push_back(dkim_result(verdict));
    if (verified.dkim.signatures.empty()) results.methods.push_back({"dkim", "none"});
    results.methods.push_back(dmarc_result(verified.dmarc));
    results.methods.push_back(arc_result(verified, question));
    return results;
}

}  // namespace relais::authres
