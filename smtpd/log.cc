#include "smtpd/log.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "base/text.h"

namespace relais::smtpd {
namespace {

constexpr std::size_t name_limit = 256;
constexpr std::size_t recipients_named = 20;
constexpr std::size_t reason_limit = 512;

std::string word(std::string_view text) {
    return text.empty() ? "-" : safe_for_log(text.substr(0, name_limit));
}

std::string path(std::optional<std::string_view> address) {
    return address ? "<" + safe_for_log(address->substr(0, name_limit)) + ">" : "-";
}

std::string front(const Speaker& speaker) {
    return fmt::format("from {} helo {}", word(speaker.ip), word(speaker.helo.value_or("")));
}

void add_speaker(Event& event, const Speaker& speaker) {
    event.with("ip", speaker.ip)
        .with("helo", speaker.helo.value_or(""))
        .with("login", speaker.login.value_or(""))
        .with("tls", speaker.tls);
}

// Of XFORWARD, and as a log has them.
constexpr std::array<std::pair<std::string_view, std::string_view>, 7> forwarded_attributes = {
    {{"NAME", "name"},
     {"ADDR", "addr"},
     {"PORT", "port"},
     {"PROTO", "proto"},
     {"HELO", "helo"},
     {"IDENT", "ident"},
     {"SOURCE", "source"}}};

std::string_view value_of(const std::vector<std::pair<std::string, std::string>>& attributes,
                          std::string_view name) {
    const auto found = std::find_if(attributes.begin(), attributes.end(),
                                    [&](const auto& attribute) { return attribute.first == name; });
    return found != attributes.end() ? std::string_view(found->second) : std::string_view();
}

}  // namespace

Event verified_event(std::uint64_t id, std::string_view ip, std::string_view text) {
    return Event("verified", fmt::format("verified msg {} from {} {}", id, word(ip), text))
        .with("msg", id)
        .with("ip", ip)
        .with("text", text);
}

Event milter_event(std::uint64_t id, std::string_view ip, std::string_view text) {
    std::string shown(text.substr(0, reason_limit));
    for (char& c : shown)
        if (c < 32 || c > 126) c = '_';
    Event event("milters", fmt::format("milters msg {} from {} {}", id, word(ip), shown));
    return event.with("msg", id).with("ip", ip).with("text", text);
}

Event forwarded_event(std::uint64_t id, std::string_view ip,
                      const std::vector<std::pair<std::string, std::string>>& attributes) {
    std::string line = fmt::format("forwarded msg {} from {}", id, word(ip));
    for (const auto& [attribute, name] : forwarded_attributes)
        line += fmt::format(" {} {}", name, word(value_of(attributes, attribute)));
    Event event("forwarded", std::move(line));
    event.with("msg", id).with("ip", ip);
    for (const auto& [attribute, name] : forwarded_attributes)
        event.with(name, value_of(attributes, attribute));
    return event;
}

Event accept_event(const Speaker& speaker, std::uint64_t id, std::string_view sender,
                   const std::vector<std::string>& recipients, std::uint64_t bytes,
                   std::string_view session) {
    std::string line = fmt::format("accept msg {} {} login {} tls {} sender {} rcpt ", id, front(speaker),
                                   word(speaker.login.value_or("")), word(speaker.tls), path(sender));
    const std::size_t named = std::min(recipients.size(), recipients_named);
    for (std::size_t i = 0; i < named; ++i) {
        if (i > 0) line += ',';
        line += path(recipients[i]);
    }
    if (named < recipients.size()) line += fmt::format(",+{}", recipients.size() - named);
    line += fmt::format(" bytes {}", bytes);
    if (!session.empty()) line += fmt::format(" session {}", session);
    Event event("accept", std::move(line));
    event.with("msg", id);
    add_speaker(event, speaker);
    return event.with("sender", sender)
        .with("rcpt", Event::List(recipients))
        .with("bytes", bytes)
        .with("session", session);
}

Event refuse_event(const Speaker& speaker, std::string_view cause, std::optional<std::string_view> sender,
                   std::optional<std::string_view> recipient, std::string_view reply, std::string_view why) {
    std::string text(reply);
    if (!why.empty()) text.append(": ").append(why);
    text.resize(std::min(text.size(), reason_limit));
    for (char& c : text)
        if (c < 32 || c > 126) c = '_';
    Event event("refuse", fmt::format("refuse {} sender {} rcpt {} reason {}", front(speaker), path(sender),
                                      path(recipient), text));
    add_speaker(event, speaker);
    return event.with("cause", cause)
        .with("sender", sender.value_or(""))
        .with("rcpt", recipient.value_or(""))
        .with("reply", reply)
        .with("why", why);
}

Event suspect_event(const Speaker& speaker, std::string_view sender, std::string_view recipient,
                    std::string_view reason) {
    Event event("suspect", fmt::format("suspect {} sender {} rcpt {} reason {}", front(speaker), path(sender),
                                       path(recipient), reason));
    add_speaker(event, speaker);
    return event.with("sender", sender).with("rcpt", recipient).with("why", reason);
}

Event notice_event(std::string_view text) {
    return Event("text", std::string(text)).with("text", text);
}

}  // namespace relais::smtpd
