#include "send/delivery_report.h"

#include <algorithm>

#include "base/printable.h"
#include "base/text.h"
#include "base/time.h"
#include "mail/address.h"
#include "mail/smtp_command.h"
#include "mail/utf8_address.h"

namespace relais::send {
namespace {

// RFC 5322, 2.1.1 allows 998.
constexpr std::size_t line_limit = 900;

using mail::is_ascii;

// Of ORCPT (RFC 6533, 3).
constexpr std::string_view utf8_type = "utf-8;";

// Where one of the addresses needs it, the report is one of RFC 6533.
bool is_international(const DeliveryReport& report) {
    return !is_ascii(report.sender) ||
           std::any_of(report.text.recipients.begin(), report.text.recipients.end(),
                       [](const RecipientFacts& facts) {
                           return !is_ascii(facts.address) || starts_ignoring_case(facts.orcpt, utf8_type);
                       });
}

// The time alone could be guessed by who writes the message that stands between two of them.
std::string boundary(const BounceSettings& settings, const DeliveryReport& report) {
    return "=_" + std::to_string(report.message) + "." + std::to_string(report.now) + "." + settings.salt;
}

std::string_view subject(ReportKind kind) {
    switch (kind) {
        case ReportKind::delay:
            return "delayed, still trying";
        case ReportKind::success:
            return "delivery report";
        case ReportKind::failure:
            break;
    }
    return "failure notice";
}

std::string_view action(ReportKind kind, const RecipientFacts& facts) {
    switch (kind) {
        case ReportKind::delay:
            return "delayed";
        case ReportKind::success:
            return facts.relayed.empty() ? "delivered" : "relayed";
        case ReportKind::failure:
            break;
    }
    return "failed";
}

// The words for people. Those of a failure are QSBMF's; those of what is no failure must not look like it.
std::string words(const BounceSettings& settings, const BounceEnvelope& envelope,
                  const DeliveryReport& report) {
    const std::string paragraphs = clean_lines(report.text.paragraphs);
    switch (report.kind) {
        case ReportKind::failure:
            return bounce_greeting(settings, envelope) + paragraphs;
        case ReportKind::delay:
            return "This is the qmail-send program at " + settings.host +
                   ".\nYour message could not be delivered to the following addresses yet.\n"
                   "This is only a warning: you need not send it again. I try until " +
                   date_822(report.expires) + ".\n\n" + paragraphs;
        case ReportKind::success:
            break;
    }
    return "This is the qmail-send program at " + settings.host +
           ".\nYou asked to be told of the delivery of your message to the following addresses.\n\n" +
           paragraphs;
}

void field(std::string& out, std::string_view name, std::string_view value, bool international) {
    std::string text = printable(value);
    if (!international)
        std::replace_if(
            text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) > 127; }, '?');
    if (text.size() > line_limit) text.resize(line_limit);
    out.append(name).append(": ").append(text).append("\n");
}

std::string original_recipient(const std::string& orcpt) {
    const std::size_t end = orcpt.find(';');
    if (end == std::string::npos) return {};
    const std::string_view text = std::string_view(orcpt).substr(end + 1);
    const auto decoded =
        starts_ignoring_case(orcpt, utf8_type) ? mail::decode_utf8_address(text) : mail::decode_xtext(text);
    return decoded ? orcpt.substr(0, end) + "; " + *decoded : std::string();
}

std::string recipient_fields(const DeliveryReport& report, const RecipientFacts& facts) {
    const bool international = is_international(report);
    std::string out = "\n";
    const auto add = [&](std::string_view name, const std::string& value) {
        field(out, name, value, international);
    };
    if (const std::string original = original_recipient(facts.orcpt); !original.empty())
        add("Original-Recipient", original);
    add("Final-Recipient", (is_ascii(facts.address) ? "rfc822; " : "utf-8; ") + facts.address);
    add("Action", std::string(action(report.kind, facts)));
    add("Status", facts.status);
    if (!facts.server.empty()) add("Remote-MTA", "dns; " + facts.server);
    if (!facts.reply.empty())
        add("Diagnostic-Code", "smtp; " + facts.reply);
    else if (!facts.reason.empty() && report.kind != ReportKind::success)
        add("Diagnostic-Code", "x-qmail; " + facts.reason);
    if (facts.when > 0) add("Last-Attempt-Date", date_822(facts.when));
    if (report.kind == ReportKind::delay) add("Will-Retry-Until", date_822(report.expires));
    return out;
}

std::string status_part(const BounceSettings& settings, const DeliveryReport& report) {
    const bool international = is_international(report);
    std::string out =
        international ? "Content-Type: message/global-delivery-status\nContent-Transfer-Encoding: 8bit\n\n"
                      : "Content-Type: message/delivery-status\n\n";
    if (const auto envid = mail::decode_xtext(report.options.envid); envid && !envid->empty())
        field(out, "Original-Envelope-Id", *envid, international);
    field(out, "Reporting-MTA", "dns; " + settings.host, international);
    field(out, "Arrival-Date", date_822(static_cast<std::int64_t>(report.message / 1'000'000)),
          international);
    if (report.options.deliver_by)
        field(out, "Deliver-By-Date", date_822(report.options.deliver_by->when), international);
    for (const RecipientFacts& facts : report.text.recipients) out += recipient_fields(report, facts);
    return out;
}

std::string_view break_line(const BounceEnvelope& envelope) {
    return envelope.is_double ? "--- Below this line is the original bounce.\n"
                              : "--- Below this line is a copy of the message.\n";
}

std::string copy_part(const DeliveryReport& report) {
    if (report.header_only)
        return is_international(report)
                   ? "Content-Type: message/global-headers\nContent-Transfer-Encoding: 8bit\n\n"
                   : "Content-Type: text/rfc822-headers; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n";
    std::string out =
        report.options.smtputf8 ? "Content-Type: message/global\n" : "Content-Type: message/rfc822\n";
    out += "Content-Transfer-Encoding: 8bit\n\nReturn-Path: <";
    if (!report.sender.empty()) out += mail::quoted_address(report.sender);
    return out + ">\n";
}

}  // namespace

std::string clean_lines(std::string_view text) {
    std::string result;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        std::string line = printable(text.substr(0, end));
        while (line.size() > line_limit) {
            std::size_t cut = line_limit;
            while (cut > 0 && (static_cast<unsigned char>(line[cut]) & 0xc0) == 0x80) --cut;
            result.append(line, 0, cut).append("\n");
            line.erase(0, cut);
        }
        result += line;
        if (end < text.size()) result += '\n';
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return result;
}

std::string report_head(const BounceSettings& settings, const BounceEnvelope& envelope,
                        const DeliveryReport& report) {
    const std::string mark = boundary(settings, report);
    const std::string text = words(settings, envelope, report);
    std::string out = bounce_header(settings, envelope, subject(report.kind), report.now);
    out += "Message-ID: <" + std::to_string(report.now) + "." + std::to_string(report.message) + "." +
           static_cast<char>(report.kind) + "." + settings.salt + "@" + settings.host + ">\n";
    out += "Auto-Submitted: auto-replied\nMIME-Version: 1.0\n";
    out += "Content-Type: multipart/report; report-type=" +
           std::string(is_international(report) ? "global-delivery-status" : "delivery-status") +
           ";\n\tboundary=\"" + mark + "\"\n";
    // RFC 2045, 6.4: parts that say 8bit stand in nothing that says less.
    out += "Content-Transfer-Encoding: 8bit\n\n";
    // Before the first part: programs that know QSBMF alone find it where it always was.
    if (settings.format == BounceFormat::both && report.kind == ReportKind::failure)
        out.append(text).append(break_line(envelope)).append("\n");
    out += "--" + mark + "\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n";
    out += text;
    if (report.kind == ReportKind::failure) out += break_line(envelope);
    out += "\n--" + mark + "\n" + status_part(settings, report);
    return out + "\n--" + mark + "\n" + copy_part(report);
}

std::string report_tail(const BounceSettings& settings, const DeliveryReport& report) {
    return "\n--" + boundary(settings, report) + "--\n";
}

}  // namespace relais::send
