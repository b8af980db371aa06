#include "remote/source.h"

#include "base/idna.h"
#include "base/text.h"
#include "net/socket.h"

namespace relais::remote {
namespace {

// What is wrong with it, empty if nothing.
std::string take_address(std::string_view text, Source& source) {
    text = trim(text);
    if (text.starts_with('[') && text.ends_with(']')) text = text.substr(1, text.size() - 2);
    const auto address = net::canonical_address(text);
    if (!address) return text.empty() ? "an address is missing" : std::string(text) + " is no address";
    std::string& place = address->find(':') == std::string::npos ? source.v4 : source.v6;
    if (!place.empty()) return "there are two addresses of one family";
    place = *address;
    return "";
}

bool is_host_name(std::string_view name) {
    return !name.empty() && name.size() <= 255 &&
           lower(name).find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-._[]:") == std::string::npos;
}

// "address[,address][|name]", either of them missing. What is wrong with it.
std::string take_source(std::string_view text, Source& source) {
    const std::size_t bar = text.find('|');
    if (bar != std::string_view::npos) {
        source.helo = trim(text.substr(bar + 1));
        if (source.helo.empty()) return "behind | a name must stand";
        if (!is_host_name(source.helo)) return source.helo + " is no name for EHLO";
        text = text.substr(0, bar);
    }
    if (trim(text).empty())
        return bar != std::string_view::npos ? "" : "an address or |name must stand behind the colon";
    for (const std::string_view address : split(text, ','))
        if (std::string wrong = take_address(address, source); !wrong.empty()) return wrong;
    return "";
}

}  // namespace

Source parse_source(std::string_view text) {
    Source source;
    source.complaint = take_source(text, source);
    source.usable = source.complaint.empty();
    return source;
}

Source parse_outgoing(std::string_view text) {
    Source source;
    source.complaint = take_address(text, source);
    source.usable = source.complaint.empty();
    return source;
}

std::optional<Families> parse_families(std::string_view text) {
    text = trim(text);
    if (text == "4") return Families{true, false, true};
    if (text == "6") return Families{false, true, false};
    if (text == "46") return Families{true, true, true};
    if (text == "64") return Families{true, true, false};
    return std::nullopt;
}

Sources::Sources(const std::vector<std::string>& outgoingip, const std::vector<std::string>& domainips) {
    for (const std::string& line : outgoingip) {
        if (std::string wrong = take_address(line, fallback_); !wrong.empty()) {
            fallback_.usable = false;
            fallback_.line = "control/outgoingip: " + line;
            fallback_.complaint = std::move(wrong);
        }
    }
    for (const std::string& line : domainips) {
        const std::size_t colon = line.find(':');
        Source source =
            parse_source(colon == std::string::npos ? "" : std::string_view(line).substr(colon + 1));
        source.line = "control/domainips: " + line;
        if (source.v4.empty() && source.v6.empty()) {
            source.v4 = fallback_.v4;
            source.v6 = fallback_.v6;
        }
        sources_.emplace(comparable(trim(std::string_view(line).substr(0, colon))), std::move(source));
    }
}

const Source* Sources::find(const std::string& prefix, std::string_view domain) const {
    const std::string name = comparable(domain);
    if (name.empty()) return nullptr;
    if (const auto found = sources_.find(prefix + name); found != sources_.end()) return &found->second;
    for (std::size_t dot = name.find('.'); dot != std::string::npos; dot = name.find('.', dot + 1))
        if (const auto found = sources_.find(prefix + name.substr(dot)); found != sources_.end())
            return &found->second;
    return nullptr;
}

const Source& Sources::choose(std::string_view sender, std::string_view recipient_domain) const {
    if (sources_.empty()) return fallback_;
    const std::size_t at = sender.rfind('@');
    if (at != std::string_view::npos)
        if (const Source* source = find("@", sender.substr(at + 1))) return *source;
    if (const Source* source = find("", recipient_domain)) return *source;
    const auto found = sources_.find("");
    return found != sources_.end() ? found->second : fallback_;
}

}  // namespace relais::remote
