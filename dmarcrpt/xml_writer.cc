// Writes the XML of reports (RFC 9990).
#include <fmt/core.h>

#include "base/version.h"
#include "dmarcrpt/report.h"

namespace relais::dmarcrpt {
namespace {

// What no XML may have is '?'.
std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        const auto octet = static_cast<unsigned char>(c);
        if (c == '&')
            out += "&amp;";
        else if (c == '<')
            out += "&lt;";
        else if (c == '>')
            out += "&gt;";
        else
            out += octet >= 32 && octet < 127 ? c : '?';
    }
    return out;
}

// An element with a text; none where that is empty.
void put(std::string& xml, int depth, std::string_view name, std::string_view text) {
    if (!text.empty()) xml += fmt::format("{:{}}<{}>{}</{}>\n", "", 2 * depth, name, escaped(text), name);
}

void put_row(std::string& xml, const Row& row) {
    xml += "  <record>\n    <row>\n";
    put(xml, 3, "source_ip", row.ip);
    put(xml, 3, "count", std::to_string(row.count));
    xml += "      <policy_evaluated>\n";
    put(xml, 4, "disposition", row.disposition);
    put(xml, 4, "dkim", row.dkim);
    put(xml, 4, "spf", row.spf);
    for (const auto& [type, comment] : row.reasons) {
        xml += "        <reason>\n";
        put(xml, 5, "type", type);
        put(xml, 5, "comment", comment);
        xml += "        </reason>\n";
    }
    xml += "      </policy_evaluated>\n    </row>\n    <identifiers>\n";
    put(xml, 3, "header_from", row.header_from);
    put(xml, 3, "envelope_from", row.envelope_from);
    xml += "    </identifiers>\n    <auth_results>\n";
    for (const AuthResult& dkim : row.dkim_results) {
        xml += "      <dkim>\n";
        put(xml, 4, "domain", dkim.domain);
        put(xml, 4, "selector", dkim.detail);
        put(xml, 4, "result", dkim.result);
        xml += "      </dkim>\n";
    }
    for (const AuthResult& spf : row.spf_results) {
        xml += "      <spf>\n";
        put(xml, 4, "domain", spf.domain);
        put(xml, 4, "scope", spf.detail);
        put(xml, 4, "result", spf.result);
        xml += "      </spf>\n";
    }
    xml += "    </auth_results>\n  </record>\n";
}

}  // namespace

std::string to_xml(const Report& report) {
    std::string xml =
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<feedback xmlns=\"urn:ietf:params:xml:ns:dmarc-2.0\">\n"
        "  <version>1.0</version>\n  <report_metadata>\n";
    put(xml, 2, "org_name", report.organization);
    put(xml, 2, "email", report.contact);
    put(xml, 2, "report_id", report.id);
    xml += "    <date_range>\n";
    put(xml, 3, "begin", std::to_string(report.begin));
    put(xml, 3, "end", std::to_string(report.end));
    xml += "    </date_range>\n";
    for (const std::string& error : report.errors) put(xml, 2, "error", error);
    put(xml, 2, "generator", fmt::format("relais {}", version()));
    xml += "  </report_metadata>\n  <policy_published>\n";
    put(xml, 2, "domain", report.domain);
    put(xml, 2, "discovery_method", "treewalk");
    put(xml, 2, "p", report.p);
    put(xml, 2, "sp", report.sp);
    put(xml, 2, "np", report.np);
    put(xml, 2, "adkim", report.adkim);
    put(xml, 2, "aspf", report.aspf);
    put(xml, 2, "testing", report.testing);
    xml += "  </policy_published>\n";
    for (const Row& row : report.rows) put_row(xml, row);
    return xml + "</feedback>\n";
}

}  // namespace relais::dmarcrpt
