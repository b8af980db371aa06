#include "send/recipient_facts.h"

#include <algorithm>

#include "base/printable.h"
#include "base/text.h"
#include "mail/enhanced_status.h"

namespace relais::send {
namespace {

void put(std::string& out, std::string_view name, std::string_view value) {
    if (!value.empty()) out.append(name).append(" ").append(printable(value)) += '\0';
}

void take(std::string_view field, RecipientFacts& facts) {
    const std::size_t blank = std::min(field.find(' '), field.size());
    const std::string_view name = field.substr(0, blank);
    const std::string value(field.substr(std::min(blank + 1, field.size())));
    if (name == "address") facts.address = value;
    if (name == "orcpt") facts.orcpt = value;
    if (name == "status") facts.status = value;
    if (name == "reply") facts.reply = value;
    if (name == "reason") facts.reason = value;
    if (name == "server") facts.server = value;
    if (name == "relayed") facts.relayed = value;
    if (name == "when") facts.when = static_cast<std::int64_t>(parse_number(value).value_or(0));
}

// "<address>:", then lines.
RecipientFacts facts_of(std::string_view paragraph) {
    RecipientFacts facts;
    const std::size_t end = std::min(paragraph.find('\n'), paragraph.size());
    std::string_view first = paragraph.substr(0, end);
    if (first.starts_with('<') && first.ends_with(">:")) first = first.substr(1, first.size() - 3);
    facts.address = printable(first);
    const std::string_view reason = trim(paragraph.substr(end));
    facts.reason = printable(reason.substr(0, std::min<std::size_t>(reason.find('\n'), 500)));
    facts.status = mail::enhanced_status('5', "", reason);
    return facts;
}

// Takes the facts at the beginning of text; nothing may be missing of them.
bool take_facts(std::string_view& text, RecipientFacts& facts) {
    std::string_view rest = text.substr(1);
    for (;;) {
        const std::size_t end = rest.find('\0');
        if (end == std::string_view::npos) return false;
        const std::string_view field = rest.substr(0, end);
        rest.remove_prefix(end + 1);
        if (field.empty()) break;
        take(field, facts);
    }
    text = rest;
    return true;
}

}  // namespace

std::string encode(const RecipientFacts& facts) {
    std::string out(1, '\0');
    put(out, "address", facts.address);
    put(out, "orcpt", facts.orcpt);
    put(out, "status", facts.status);
    put(out, "reply", facts.reply);
    put(out, "reason", facts.reason);
    put(out, "server", facts.server);
    put(out, "relayed", facts.relayed);
    if (facts.when > 0) put(out, "when", std::to_string(facts.when));
    return out += '\0';
}

BounceText parse_bounce_text(std::string_view text) {
    BounceText parsed;
    while (!text.empty()) {
        const std::size_t blank = text.find("\n\n");
        const std::size_t end = blank == std::string_view::npos ? text.size() : blank + 2;
        const std::string_view paragraph = text.substr(0, end);
        text.remove_prefix(end);
        RecipientFacts facts;
        const bool known = text.starts_with('\0') && take_facts(text, facts);
        parsed.paragraphs.append(paragraph);
        if (known && !facts.address.empty())
            parsed.recipients.push_back(std::move(facts));
        else if (paragraph.starts_with('<'))
            parsed.recipients.push_back(facts_of(paragraph));
        // Facts that were cut off say nothing.
        if (text.starts_with('\0')) text = {};
    }
    return parsed;
}

}  // namespace relais::send
