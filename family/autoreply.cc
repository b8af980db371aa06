#include "family/autoreply.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "base/time.h"
#include "base/utf8.h"
#include "mail/address.h"
#include "mail/address_list.h"
#include "mail/automatic.h"
#include "mail/header.h"
#include "mail/null_sender.h"
#include "mail/utf8_address.h"

namespace relais::family {
namespace {

// Longer subjects and ids of others are left out: a line ends at 998 octets (RFC 5322, 2.1.1).
constexpr std::size_t longest_quoted = 400;
// Of what the owner wrote.
constexpr std::size_t longest_header = std::size_t{64} << 10;

bool is(std::string_view field, std::string_view name) {
    const auto found = mail::field_name(field);
    return found && equal_ignoring_case(*found, name);
}

// The value of the first field of that name on one line; nothing if there is none, or none to be quoted.
std::optional<std::string> quotable(const Fields& fields, std::string_view name) {
    for (const std::string& field : fields) {
        if (!is(field, name)) continue;
        std::string value;
        for (const char c : trim(mail::field_body(field)))
            if (c != '\r' && c != '\n') value += c == '\t' ? ' ' : c;
        const bool odd =
            std::any_of(value.begin(), value.end(), [](unsigned char c) { return c < 32 || c > 126; });
        if (odd || value.empty() || value.size() > longest_quoted) return std::nullopt;
        return value;
    }
    return std::nullopt;
}

// RFC 3834, 2: addresses of lists and programs.
bool is_of_no_person(std::string_view sender) {
    const std::string local = lower(mail::split_address(sender).local);
    static constexpr std::array<std::string_view, 10> names{
        "mailer-daemon", "postmaster", "listserv",   "majordomo",    "noreply",
        "no-reply",      "no_reply",   "donotreply", "do-not-reply", "nobody"};
    if (std::find(names.begin(), names.end(), local) != names.end()) return true;
    static constexpr std::array<std::string_view, 5> ends{"-request", "-owner", "-bounces", "-bounce",
                                                          "-relay"};
    return local.starts_with("owner-") ||
           std::any_of(ends.begin(), ends.end(), [&](std::string_view end) { return local.ends_with(end); });
}

bool contains_ignoring_case(std::string_view text, std::string_view part) {
    return lower(text).find(part) != std::string::npos;
}

// Filters and checks have doubts of who sent it: the answer would go to a stranger.
bool is_doubtful(std::string_view field) {
    const std::string_view value = mail::field_name(field) ? trim(mail::field_body(field)) : field;
    if (is(field, "X-Spam-Flag") || is(field, "X-Spam-Status")) return starts_ignoring_case(value, "yes");
    if (is(field, "Received-SPF")) return starts_ignoring_case(value, "fail");
    return is(field, "Authentication-Results") &&
           (contains_ignoring_case(value, "dmarc=fail") || contains_ignoring_case(value, "spf=fail"));
}

// What the owner wrote, taken apart.
struct Text {
    Fields fields;
    std::string body;
};

bool may_be_given(std::string_view field) {
    const auto name = mail::field_name(field);
    return name && (equal_ignoring_case(*name, "Subject") || equal_ignoring_case(*name, "From") ||
                    equal_ignoring_case(*name, "Reply-To") || starts_ignoring_case(*name, "Content-") ||
                    equal_ignoring_case(*name, "MIME-Version"));
}

Text take_apart(std::string_view text) {
    mail::HeaderReader reader(longest_header);
    if (reader.add(text) == mail::HeaderReader::State::more) reader.finish();
    const Fields& fields = reader.fields();
    if (fields.empty() || !std::all_of(fields.begin(), fields.end(), may_be_given))
        return {{}, std::string(text)};
    const std::string& rest = reader.rest();
    return {fields, rest.substr(std::min<std::size_t>(1, rest.size()))};
}

bool gives(const Text& text, std::string_view name) {
    return std::any_of(text.fields.begin(), text.fields.end(),
                       [&](const std::string& field) { return is(field, name); });
}

// "; charset=utf-8" and the like for a body that has more than ASCII; nothing for one without.
std::string content_fields(std::string_view body) {
    if (std::none_of(body.begin(), body.end(), [](char c) { return (c & 0x80) != 0; })) return {};
    while (!body.empty())
        if (!take_utf8(body)) return {};
    return "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n";
}

// In angle brackets; with A-labels where nothing else is beyond ASCII, so that any server takes the field.
std::string in_field(const std::string& address) {
    const auto plain = mail::is_ascii(address) ? std::nullopt : mail::ascii_address(address);
    return "<" + mail::quoted_address(plain ? *plain : address) + ">";
}

std::string with_subject(std::string field, const std::string& subject) {
    static constexpr std::string_view mark = "$SUBJECT";
    if (const std::size_t at = field.find(mark); is(field, "Subject") && at != std::string::npos)
        field.replace(at, mark.size(), subject);
    return field;
}

}  // namespace

std::optional<std::string> reason_for_silence(const Fields& fields, std::string_view sender) {
    if (mail::is_null_sender(sender)) return "it is a bounce";
    if (!mail::split_address(sender).has_domain) return "its sender has no domain";
    if (is_of_no_person(sender)) return "its sender is no person";
    for (const std::string& field : fields) {
        const auto name = mail::field_name(field);
        if (!name) continue;
        if (mail::says_automatic(field) || starts_ignoring_case(*name, "List-"))
            return "it is of a program or a list (" + std::string(*name) + ")";
        if (equal_ignoring_case(*name, "X-Auto-Response-Suppress"))
            return "it wants none (" + std::string(*name) + ")";
        if (is_doubtful(field)) return "it may be forged (" + std::string(*name) + ")";
    }
    return std::nullopt;
}

std::optional<std::string> named_address(const Fields& fields, const std::vector<std::string>& own) {
    for (const std::string& field : fields) {
        if (!is(field, "To") && !is(field, "Cc")) continue;
        auto list = mail::parse_address_list(mail::field_body(field));
        if (!list) continue;
        for (const mail::ListedAddress* address : mail::addresses_of(*list))
            for (const std::string& each : own)
                if (equal_ignoring_case(address->address(), each)) return each;
    }
    return std::nullopt;
}

std::string answer_to(const Fields& fields, std::string_view text, const Occasion& occasion) {
    const Text own = take_apart(text);
    const std::string subject = quotable(fields, "Subject").value_or("your message");
    const std::string host(mail::split_address(occasion.from).domain);
    std::string answer = "Date: " + date_822(occasion.now) +
                         "\nMessage-ID: " + mail::make_message_id(occasion.now, occasion.number, host) + "\n";
    if (!gives(own, "From")) answer += "From: " + in_field(occasion.from) + "\n";
    answer += "To: " + in_field(occasion.sender) + "\n";
    if (!gives(own, "Subject")) answer += "Subject: Auto: " + subject + "\n";
    for (const std::string& field : own.fields) answer += with_subject(field, subject);
    if (const auto id = quotable(fields, "Message-ID"))
        answer += "In-Reply-To: " + *id + "\nReferences: " + *id + "\n";
    answer += "Auto-Submitted: auto-replied\nPrecedence: bulk\n";
    if (!gives(own, "Content-Type")) answer += content_fields(own.body);
    answer.append("\n").append(own.body);
    if (!answer.ends_with('\n')) answer += '\n';
    return answer;
}

Answered::Answered(std::string_view lines, std::int64_t now, std::int64_t interval) {
    for (const std::string_view line : split(lines, '\n')) {
        const std::size_t space = line.find(' ');
        const auto when = parse_number(line.substr(0, space));
        if (!when || space == std::string_view::npos || times_.size() >= most) continue;
        const auto at = static_cast<std::int64_t>(*when);
        if (at <= now && now - at < interval) times_[lower(line.substr(space + 1))] = at;
    }
}

bool Answered::has(std::string_view sender) const {
    return times_.contains(lower(sender));
}

void Answered::add(std::string_view sender, std::int64_t now) {
    times_[lower(sender)] = now;
}

std::string Answered::lines() const {
    std::string all;
    for (const auto& [address, when] : times_) all += std::to_string(when) + " " + address + "\n";
    return all;
}

}  // namespace relais::family
