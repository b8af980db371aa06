#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "base/json.h"
#include "base/printable.h"
#include "explain/route.h"
#include "tls/client_context.h"

namespace relais::explain {
namespace {

std::string_view name_of(remote::AddressKind kind) {
    using remote::AddressKind;
    switch (kind) {
        case AddressKind::ours:
            return "ours";
        case AddressKind::private_:
            return "private";
        case AddressKind::unusable:
            return "unusable";
        default:
            return "global";
    }
}

std::string_view name_of(net::DnsStatus status) {
    using net::DnsStatus;
    switch (status) {
        case DnsStatus::found:
            return "found";
        case DnsStatus::no_such_name:
            return "no such name";
        case DnsStatus::no_such_record:
            return "no such record";
        case DnsStatus::bogus:
            return "bogus";
        default:
            return "failed";
    }
}

Json host_json(const remote::SearchTrace::Host& host) {
    Json addresses = Json::array();
    for (const auto& address : host.addresses)
        addresses.push_back(
            {{"address", address.text}, {"kind", name_of(address.kind)}, {"used", address.used}});
    Json object{{"preference", host.preference}, {"name", host.name}};
    object["alias_of"] = text_or_null(host.alias_of);
    object["status"] = host.asked ? Json(name_of(host.status)) : Json();
    object["addresses"] = std::move(addresses);
    return object;
}

Json tls_json(const remote::TlsPolicy& policy) {
    return {{"level", remote::name_of(policy.level)},
            {"minimum", policy.only_13 ? "1.3" : "1.2"},
            {"implicit", policy.implicit},
            {"ca", policy.level != remote::TlsLevel::verify ? Json()
                   : policy.ca_file.empty()                 ? Json(tls::system_authorities)
                                                            : Json(policy.ca_file)},
            {"names", policy.names},
            {"usable", policy.usable},
            {"line", text_or_null(policy.line)}};
}

Json dane_json(const remote::Dane& found) {
    using State = remote::Dane::State;
    constexpr std::array<std::string_view, 5> states = {"unvalidated", "none", "usable", "unusable",
                                                        "unknown"};
    static_assert(static_cast<std::size_t>(State::unknown) + 1 == states.size());
    std::vector<std::string> records;
    for (const tls::Tlsa& record : found.records) records.push_back(tls::text_of(record));
    return {{"state", states[static_cast<std::size_t>(found.state)]},
            {"name", text_or_null(found.name)},
            {"records", records},
            {"ignored", found.ignored}};
}

Json domain_policy_json(const sts::Found& found) {
    const bool known = found.state == sts::Found::State::policy;
    return {{"mode", known ? Json(sts::name_of(found.policy.mode)) : Json()},
            {"servers", found.policy.mx},
            {"ends", known ? Json(found.ends) : Json()},
            {"reason", text_or_null(found.reason)}};
}

Json offer_json(const Offer& offer) {
    Json object{{"source", name_of(offer.source)}};
    const bool remembered = offer.source == Offer::Source::remembered;
    object["seen"] = remembered ? Json(offer.seen) : Json();
    object["trouble"] = text_or_null(offer.trouble);
    if (offer.source == Offer::Source::unknown) return object;
    object["starttls"] = offer.extensions.starttls;
    object["pipelining"] = offer.extensions.pipelining;
    object["8bitmime"] = offer.extensions.eight_bit_mime;
    object["smtputf8"] = offer.extensions.smtp_utf8;
    object["dsn"] = offer.extensions.dsn;
    object["deliverby"] = offer.extensions.deliver_by;
    object["mt_priority"] = offer.extensions.mt_priority;
    // Who is asked in the clear offers it to nobody.
    object["requiretls"] = remembered ? Json(offer.extensions.requiretls) : Json();
    object["size"] = offer.extensions.size ? Json(offer.extensions.size_limit) : Json();
    return object;
}

Json remote_json(const RemoteEnd& end) {
    Json object{{"domain", end.domain}};
    object["smtproute"] = text_or_null(end.route.line);
    object["port"] = end.route.port;
    object["mx"] = end.search.asked_mx ? Json(name_of(end.search.mx_status)) : Json();
    object["hosts"] = Json::array();
    for (const auto& host : end.search.hosts) object["hosts"].push_back(host_json(host));
    object["servers"] = Json::array();
    for (std::size_t i = 0; i < end.servers.size(); ++i) {
        std::vector<std::string> addresses = end.servers[i].addresses;
        std::sort(addresses.begin(), addresses.end());
        Json object_of_server{{"name", end.servers[i].name}, {"addresses", addresses}};
        if (i < end.dane.size()) object_of_server["dane"] = dane_json(end.dane[i]);
        if (i < end.offers.size()) object_of_server["offers"] = offer_json(end.offers[i]);
        object["servers"].push_back(std::move(object_of_server));
    }
    object["mta_sts"] = end.domain_policy ? domain_policy_json(*end.domain_policy) : Json();
    object["dns"] = end.asked;
    object["tls"] = end.tls ? tls_json(*end.tls) : Json();
    object["login"] = end.route.credentials
                          ? Json{{"user", end.route.credentials->user}, {"file", end.route.file()}}
                          : Json();
    object["from"] = Json{{"ipv4", text_or_null(end.source.v4)},
                          {"ipv6", text_or_null(end.source.v6)},
                          {"helo", text_or_null(end.helo)}};
    return object;
}

Json local_json(const LocalEnd& end) {
    return {{"user", end.user},
            {"uid", end.uid},
            {"gid", end.gid},
            {"home", end.home},
            {"dash", end.dash},
            {"extension", end.extension},
            {"found_by", end.found_by},
            {"dot_qmail", text_or_null(end.dot_qmail)},
            {"instructions", end.instructions}};
}

std::string lines_of(const Finding& finding) {
    std::string text = fmt::format("{}: {}\n", name_of(finding.weight), printable(finding.text));
    if (!finding.remedy.empty()) text += "    do: " + printable(finding.remedy) + "\n";
    return text;
}

}  // namespace

std::string route_text(const RouteReport& report) {
    std::string text = printable(report.address.empty() ? report.asked : report.address) + " " +
                       printable(report.answer) + "\n\n";
    for (const RouteStep& step : report.steps)
        text += fmt::format("  {:<15}{}\n", step.place, printable(step.evidence));
    if (!report.findings.empty()) text += "\n";
    for (const Finding& finding : report.findings) text += lines_of(finding);
    return text;
}

std::string route_json(const RouteReport& report) {
    Json object{{"asked", report.asked},
                {"address", report.address},
                {"fate", name_of(report.fate)},
                {"answer", report.answer}};
    object["local"] = report.local ? local_json(*report.local) : Json();
    object["remote"] = report.remote ? remote_json(*report.remote) : Json();
    object["steps"] = Json::array();
    for (const RouteStep& step : report.steps)
        object["steps"].push_back({{"place", step.place}, {"evidence", step.evidence}});
    object["findings"] = Json::array();
    for (const Finding& finding : report.findings) {
        Json one{{"weight", name_of(finding.weight)}, {"code", finding.code}, {"text", finding.text}};
        one["remedy"] = text_or_null(finding.remedy);
        object["findings"].push_back(std::move(one));
    }
    return object.lines() + "\n";
}

}  // namespace relais::explain
