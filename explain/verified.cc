#include "explain/verified.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/json.h"
#include "base/printable.h"
#include "base/text.h"

namespace relais::explain {
namespace {

using namespace authres;

std::string spf_text(const VerifiedMessage& verified, const SpfQuestion& question) {
    if (!verified.spf_checked) return "spf: none: not checked, the client's address was not given (--ip)\n";
    const SpfOutcome& spf = verified.spf;
    const std::string whose = spf.of_helo ? "helo=" + question.helo : "mailfrom=" + question.sender;
    std::string text = fmt::format("spf: {} {}: {}\n", to_text(spf.result), printable(whose), spf.reason);
    if (!spf.explanation.empty()) text += fmt::format("spf-explanation: {}\n", spf.explanation);
    return text;
}

std::string dkim_text(const DkimReport& dkim) {
    if (dkim.signatures.empty()) return "dkim: none: the message has no signature\n";
    std::string text;
    for (const DkimVerdict& verdict : dkim.signatures) {
        text += fmt::format("dkim: {}", to_text(verdict.result));
        for (const auto& [name, value] : {std::pair{"d", &verdict.domain},
                                          {"s", &verdict.selector},
                                          {"i", &verdict.identity},
                                          {"a", &verdict.algorithm},
                                          {"b", &verdict.signature_begin}})
            if (!value->empty()) text += fmt::format(" {}={}", name, *value);
        text += fmt::format(": {}{}\n", verdict.reason, verdict.testing ? " (the key is being tested)" : "");
    }
    if (dkim.ignored > 0)
        text += fmt::format("dkim-ignored: {} more signatures were not looked at\n", dkim.ignored);
    return text;
}

std::string dmarc_text(const DmarcOutcome& dmarc) {
    std::string text = fmt::format("dmarc: {}", to_text(dmarc.result));
    if (!dmarc.from_domain.empty()) text += " from=" + printable(dmarc.from_domain);
    if (!dmarc.policy_domain.empty())
        text += fmt::format(" policy={} effective={} at={}", to_text(dmarc.published),
                            to_text(dmarc.effective), printable(dmarc.policy_domain));
    return text + fmt::format(": {}\n", dmarc.reason);
}

std::string arc_text(const ArcOutcome& arc) {
    std::string text = fmt::format("arc: {}", to_text(arc.result));
    if (arc.sets > 0) text += fmt::format(" i={}", arc.sets);
    return text + fmt::format(": {}\n", arc.reason);
}

std::string field_of(const VerifiedMessage& verified, const SpfQuestion& question) {
    std::string field = results_field(to_results(verified, question, question.receiver));
    std::erase(field, '\r');
    return field;
}

Json spf_json(const VerifiedMessage& verified, const SpfQuestion& question) {
    const SpfOutcome& spf = verified.spf;
    if (!verified.spf_checked) return {{"result", "none"}, {"reason", "not checked"}, {"checked", false}};
    return {{"result", to_text(spf.result)},
            {"reason", spf.reason},
            {"checked", true},
            {"identity", spf.of_helo ? "helo" : "mailfrom"},
            {"ip", question.ip},
            {"helo", question.helo},
            {"mailfrom", question.sender},
            {"domain", spf.domain},
            {"explanation", text_or_null(spf.explanation)},
            {"lookups", spf.lookups}};
}

Json dkim_json(const DkimVerdict& verdict) {
    return {{"result", to_text(verdict.result)},          {"reason", verdict.reason},
            {"domain", text_or_null(verdict.domain)},     {"selector", text_or_null(verdict.selector)},
            {"identity", text_or_null(verdict.identity)}, {"algorithm", text_or_null(verdict.algorithm)},
            {"b", text_or_null(verdict.signature_begin)}, {"testing", verdict.testing},
            {"unsigned_octets", verdict.unsigned_octets}};
}

Json dmarc_json(const DmarcOutcome& dmarc) {
    Json json{{"result", to_text(dmarc.result)},
              {"reason", dmarc.reason},
              {"from", text_or_null(dmarc.from_domain)}};
    json["organizational_domain"] = text_or_null(dmarc.organizational_domain);
    json["policy_domain"] = text_or_null(dmarc.policy_domain);
    const bool found = !dmarc.policy_domain.empty();
    json["policy"] = found ? Json(to_text(dmarc.published)) : Json();
    json["effective_policy"] = found ? Json(to_text(dmarc.effective)) : Json();
    json["testing"] = dmarc.testing;
    return json;
}

enum class Weight { good, no_answer, bad };

Weight weight(SpfResult result) {
    if (result == SpfResult::temperror) return Weight::no_answer;
    // Neutral is to be taken for none (RFC 7208, 8.2).
    return result == SpfResult::pass || result == SpfResult::none || result == SpfResult::neutral
               ? Weight::good
               : Weight::bad;
}

template <class Result>
Weight weight_of(Result result, bool good) {
    return good ? Weight::good : result == Result::temperror ? Weight::no_answer : Weight::bad;
}

}  // namespace

std::string sender_of(const std::optional<std::string>& given, const MessageHeader& header) {
    std::string sender = given.value_or("");
    if (!given)
        for (const HeaderField& field : header.fields)
            if (equal_ignoring_case(field.name, "Return-Path")) {
                sender = trim(field.body());
                break;
            }
    if (sender.starts_with('<') && sender.ends_with('>')) sender = sender.substr(1, sender.size() - 2);
    return sender;
}

std::string verified_text(const VerifiedMessage& verified, const SpfQuestion& question) {
    return spf_text(verified, question) + dkim_text(verified.dkim) + dmarc_text(verified.dmarc) +
           arc_text(verified.arc) + field_of(verified, question);
}

std::string verified_json(const VerifiedMessage& verified, const SpfQuestion& question) {
    Json json = Json::object();
    json["spf"] = spf_json(verified, question);
    json["dkim"] = Json::array();
    for (const DkimVerdict& verdict : verified.dkim.signatures) json["dkim"].push_back(dkim_json(verdict));
    json["dkim_ignored"] = verified.dkim.ignored;
    json["dmarc"] = dmarc_json(verified.dmarc);
    json["arc"] = {{"result", to_text(verified.arc.result)},
                   {"reason", verified.arc.reason},
                   {"sets", verified.arc.sets},
                   {"sealers", verified.arc.sealers}};
    json["authentication_results"] = field_of(verified, question);
    json["exit_code"] = exit_code(verified);
    return json.line() + "\n";
}

int exit_code(const VerifiedMessage& verified) {
    Weight worst = weight(verified.spf.result);
    for (const DkimVerdict& verdict : verified.dkim.signatures)
        worst = std::max(worst, weight_of(verdict.result, verdict.result == DkimResult::pass));
    const DmarcResult dmarc = verified.dmarc.result;
    worst = std::max(worst, weight_of(dmarc, dmarc == DmarcResult::pass || dmarc == DmarcResult::none));
    const ArcResult arc = verified.arc.result;
    worst = std::max(worst, weight_of(arc, arc == ArcResult::pass || arc == ArcResult::none));
    return worst == Weight::good ? 0 : worst == Weight::bad ? 1 : 111;
}

}  // namespace relais::explain
