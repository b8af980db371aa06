#include "tlsrpt/report.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace relais::tlsrpt {
namespace {

using Value = nlohmann::json;

// Deeper than any report is.
constexpr int depth_limit = 16;
constexpr std::size_t text_limit = 1024;
constexpr std::size_t servers_limit = 100;

// null for what is not there.
const Value& member(const Value& object, const char* name) {
    static const Value none;
    const auto found = object.is_object() ? object.find(name) : object.end();
    return object.is_object() && found != object.end() ? *found : none;
}

std::string text_of(const Value& object, const char* name) {
    const Value& found = member(object, name);
    return found.is_string() ? found.get_ref<const std::string&>().substr(0, text_limit) : std::string();
}

std::uint64_t number_of(const Value& object, const char* name) {
    const Value& found = member(object, name);
    // Sums of them do not overflow.
    return found.is_number_unsigned() ? std::min(found.get<std::uint64_t>(), std::uint64_t{1} << 48) : 0;
}

// Some write one text in the place of a list of one.
std::vector<std::string> texts_of(const Value& value) {
    std::vector<std::string> texts;
    const auto add = [&](const Value& one) {
        if (one.is_string() && texts.size() < servers_limit)
            texts.push_back(one.get_ref<const std::string&>().substr(0, text_limit));
    };
    if (value.is_array())
        for (const Value& one : value) add(one);
    else
        add(value);
    return texts;
}

Failure failure_of(const Value& detail) {
    Failure failure{text_of(detail, "result-type"), number_of(detail, "failed-session-count")};
    failure.sending_ip = text_of(detail, "sending-mta-ip");
    failure.server = text_of(detail, "receiving-mx-hostname");
    failure.server_ip = text_of(detail, "receiving-ip");
    failure.helo = text_of(detail, "receiving-mx-helo");
    failure.reason = text_of(detail, "failure-reason-code");
    failure.information = text_of(detail, "additional-information");
    return failure;
}

PolicyResult result_of(const Value& entry) {
    const Value& policy = member(entry, "policy");
    const Value& summary = member(entry, "summary");
    PolicyResult result{text_of(policy, "policy-type"), text_of(policy, "policy-domain")};
    result.servers = texts_of(member(policy, "mx-host"));
    result.successes = number_of(summary, "total-successful-session-count");
    result.failures = number_of(summary, "total-failure-session-count");
    const Value& details = member(entry, "failure-details");
    if (details.is_array())
        for (const Value& detail : details)
            if (result.details.size() < details_limit) result.details.push_back(failure_of(detail));
    return result;
}

}  // namespace

std::uint64_t Report::successes() const {
    std::uint64_t sum = 0;
    for (const PolicyResult& policy : policies) sum += policy.successes;
    return sum;
}

std::uint64_t Report::failures() const {
    std::uint64_t sum = 0;
    for (const PolicyResult& policy : policies) sum += policy.failures;
    return sum;
}

std::variant<Report, Complaint> parse_report(std::string_view json) {
    if (json.size() > json_limit) return Complaint{"it is longer than any report is"};
    bool too_deep = false;
    const auto look = [&](int depth, Value::parse_event_t, Value&) {
        too_deep = too_deep || depth > depth_limit;
        return !too_deep;
    };
    const Value value = Value::parse(json.begin(), json.end(), look, false);
    if (too_deep) return Complaint{"its JSON is deeper than that of any report"};
    if (value.is_discarded() || !value.is_object()) return Complaint{"it is no JSON object"};
    const Value& policies = member(value, "policies");
    if (!policies.is_array()) return Complaint{"it has no policies, as a report of RFC 8460 has"};
    Report report{text_of(value, "organization-name"), text_of(value, "contact-info"),
                  text_of(value, "report-id")};
    report.begin = text_of(member(value, "date-range"), "start-datetime");
    report.end = text_of(member(value, "date-range"), "end-datetime");
    for (const Value& entry : policies)
        if (report.policies.size() < policies_limit) report.policies.push_back(result_of(entry));
    return report;
}

}  // namespace relais::tlsrpt
