#include "control/milters.h"

#include "base/text.h"
#include "base/words.h"

namespace relais::control {
namespace {

constexpr std::uint64_t longest_wait = 600;
constexpr std::size_t path_limit = 107;  // of a unix socket
constexpr std::string_view no_place =
    "names no place: inet:PORT@HOST, inet6:PORT@HOST, unix:PATH or HOST:PORT";

bool take_port(std::string_view text, Milter& milter) {
    const auto number = parse_number(text);
    if (!number || *number == 0 || *number > 65535) return false;
    milter.port = static_cast<std::uint16_t>(*number);
    return true;
}

bool take_host(std::string_view text, Milter& milter) {
    if (text.starts_with('[') && text.ends_with(']')) text = text.substr(1, text.size() - 2);
    if (text.empty() || text.size() > 255 || text.find_first_of("@/[]") != std::string_view::npos)
        return false;
    milter.host = text;
    return true;
}

bool take_place(std::string_view place, Milter& milter) {
    milter.name = place;
    const std::size_t colon = place.find(':');
    const std::string kind = lower(place.substr(0, colon));
    const std::string_view rest = colon == std::string_view::npos ? "" : place.substr(colon + 1);
    if (kind == "unix" || kind == "local") {
        milter.path = rest;
        return rest.starts_with('/') && rest.size() <= path_limit;
    }
    if (kind == "inet" || kind == "inet6") {
        milter.v6_only = kind == "inet6";
        const std::size_t at = rest.find('@');
        return at != std::string_view::npos && take_port(rest.substr(0, at), milter) &&
               take_host(rest.substr(at + 1), milter);
    }
    const std::size_t last = place.rfind(':');
    const std::string_view host = place.substr(0, last);
    const bool ambiguous = host.find(':') != std::string_view::npos && !host.starts_with('[');
    return last != std::string_view::npos && !ambiguous && take_port(place.substr(last + 1), milter) &&
           take_host(host, milter);
}

bool take_seconds(std::string_view text, std::chrono::seconds& seconds) {
    const auto number = parse_number(text);
    if (!number || *number == 0 || *number > longest_wait) return false;
    seconds = std::chrono::seconds(*number);
    return true;
}

bool take_word(std::string_view word, Milter& milter) {
    if (word == "accept")
        milter.when_gone = Milter::WhenGone::accept;
    else if (word == "tempfail")
        milter.when_gone = Milter::WhenGone::tempfail;
    else if (word == "reject")
        milter.when_gone = Milter::WhenGone::reject;
    else if (word.starts_with("connect="))
        return take_seconds(word.substr(8), milter.connect);
    else if (word.starts_with("reply="))
        return take_seconds(word.substr(6), milter.reply);
    else
        return false;
    return true;
}

}  // namespace

std::optional<Milter> parse_milter(std::string_view line) {
    Milter milter;
    bool first = true;
    for (const std::string_view word : words_of(line)) {
        if (!(first ? take_place(word, milter) : take_word(word, milter))) return std::nullopt;
        first = false;
    }
    return first ? std::nullopt : std::optional(milter);
}

std::vector<Milter> parse_milters(const std::vector<std::string>& lines) {
    std::vector<Milter> all;
    for (const std::string& line : lines) {
        if (all.size() > milters_limit) break;
        auto milter = all.size() < milters_limit ? parse_milter(line) : std::nullopt;
        if (!milter) milter.emplace().name = line;
        all.push_back(*std::move(milter));
    }
    return all;
}

std::string milter_fault(std::string_view line) {
    Milter milter;
    const auto words = words_of(line);
    if (words.empty() || !take_place(words[0], milter))
        return "\"" + std::string(line) + "\" " + std::string(no_place);
    for (std::size_t i = 1; i < words.size(); ++i)
        if (!take_word(words[i], milter))
            return "\"" + std::string(words[i]) +
                   "\" is no word of it: accept, tempfail, reject, connect=SECONDS, reply=SECONDS (600 at "
                   "most)";
    return "";
}

}  // namespace relais::control
