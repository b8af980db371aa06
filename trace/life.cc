#include "trace/life.h"

#include <fmt/core.h>

#include <algorithm>
#include <ctime>
#include <set>

#include "base/error.h"
#include "base/event.h"
#include "base/printable.h"
#include "base/text.h"
#include "trace/server.h"

namespace relais::trace {
namespace {

constexpr std::uint64_t a_second = 1'000'000;
constexpr std::uint64_t a_day = 86'400 * a_second;
// Ids are birthdays in microseconds: what is smaller is a process id.
constexpr std::uint64_t smallest_id = 1'000'000'000'000'000;
// A search of two addresses looks at so many messages of one of them.
constexpr std::size_t searched = 100'000;

// "2026-11-30 13:00:00.123"
std::string time_of(std::uint64_t microseconds) {
    std::string text = date_iso(microseconds).substr(0, 23);
    text[10] = ' ';
    return text;
}

std::string shown(std::string_view text) {
    return printable(text);
}
// An address that may be empty.
std::string path_of(const Record& record, std::string_view name) {
    return "<" + shown(record.field(name)) + ">";
}

// ", name value" where there is one.
std::string also(const Record& record, std::string_view name, std::string_view words) {
    const std::string_view value = record.field(name);
    return value.empty() ? "" : fmt::format(", {}{}", words, shown(value));
}

std::string client_of(const Record& record) {
    return shown(record.field("ip")) + also(record, "helo", "helo ") + also(record, "login", "login ") +
           also(record, "tls", "");
}

std::string recipients_of(const Record& record) {
    std::string all;
    for (const auto& [name, value] : record.fields)
        if (name == "rcpt") all += (all.empty() ? "<" : ", <") + shown(value) + ">";
    return all.empty() ? "nobody" : all;
}

// What the checks went by.
std::string dns_of(const Record& record) {
    std::string all;
    for (const auto& [name, value] : record.fields)
        if (name == "dns") all += (all.empty() ? "; DNS said " : "; ") + shown(value);
    return all;
}

std::string span_of(std::uint64_t milliseconds) {
    return milliseconds < 1000 ? fmt::format("{} ms", milliseconds)
                               : fmt::format("{}.{} s", milliseconds / 1000, milliseconds % 1000 / 100);
}

std::string delivery_text(const Record& record) {
    std::string text =
        fmt::format("delivery {}: {}", record.number("delivery"), shown(record.field("result")));
    const std::string_view said = trim(record.field("text"));
    if (!said.empty()) text += ": " + shown(said);
    if (!record.field("server").empty())
        text += fmt::format(" (server {} [{}], {})", shown(record.field("server")), shown(record.field("ip")),
                            record.field("tls").empty() ? "not encrypted" : shown(record.field("tls")));
    if (const std::uint64_t took = record.number("milliseconds")) text += " in " + span_of(took);
    return text;
}

std::string words_of(const Record& record) {
    const std::string_view kind = record.kind;
    if (kind == "accept")
        return fmt::format("accepted from {}, sender {}, for {}, {} bytes{}", client_of(record),
                           path_of(record, "sender"), recipients_of(record), record.number("bytes"),
                           dns_of(record));
    if (kind == "refuse")
        return fmt::format("refused {}, sender {}, recipient {}: {}{}{}", client_of(record),
                           path_of(record, "sender"), path_of(record, "rcpt"), shown(record.field("reply")),
                           also(record, "why", "because "), also(record, "cause", "check ")) +
               dns_of(record);
    if (kind == "suspect")
        return fmt::format("passed though suspect: {}, sender {}, recipient {}: {}", client_of(record),
                           path_of(record, "sender"), path_of(record, "rcpt"), shown(record.field("why"))) +
               dns_of(record);
    if (kind == "forwarded")
        return fmt::format("came once from {} ({}), as a front end says", shown(record.field("addr")),
                           shown(record.field("name")));
    if (kind == "verified") return "verified: " + shown(record.field("text"));
    if (kind == "milters") return "milters have changed: " + shown(record.field("text"));
    if (kind == "info")
        return fmt::format("in the queue: {} bytes from {}, uid {}", record.number("bytes"),
                           path_of(record, "sender"), record.number("uid"));
    if (kind == "start")
        return fmt::format("delivery {} begins: {} {}", record.number("delivery"),
                           shown(record.field("channel")), path_of(record, "rcpt"));
    if (kind == "delivery") return delivery_text(record);
    if (kind == "wait")
        return fmt::format("waits: try {} has failed, the next one is at {}: {}", record.number("tries"),
                           time_of(record.number("next") * a_second).substr(0, 19),
                           shown(record.field("text")));
    if (kind == "later")
        return "waits as its sender asks: released at " +
               time_of(record.number("next") * a_second).substr(0, 19);
    if (kind == "bounce") return fmt::format("the sender is told: message {}", record.number("qp"));
    if (kind == "report")
        return fmt::format("{}: message {}", shown(record.field("text")), record.number("qp"));
    if (kind == "discard") return "a bounce of a bounce of a bounce: discarded";
    if (kind == "hold") return "held by hand";
    if (kind == "release") return "released by hand";
    if (kind == "delete") return "deleted by hand";
    if (kind == "expire") return "was held for too long: ended without a bounce";
    if (kind == "end") return "has left the queue";
    // What it says stands in "verified" too.
    if (kind == "new" || kind == "dmarc") return "";
    return shown(kind);
}

std::uint64_t midnight(std::uint64_t now) {
    return now / a_day * a_day;
}

}  // namespace

Archive::Archive(const std::string& directory) {
    for (const std::string& path : files_of(directory, 0)) {
        try {
            files_.push_back(std::make_unique<Database>(path, Database::Mode::read));
        } catch (const Error& error) {
            wrong_.push_back(path + ": " + error.what());
        }
    }
}

std::vector<Record> Archive::events(std::uint64_t msg) {
    std::vector<Record> all;
    for (const auto& file : files_)
        for (Record& record : file->events(msg)) all.push_back(std::move(record));
    // qmail-smtpd tells of a message when the queue has answered. It came first all the same, though
    // qmail-send may have begun by then.
    const auto place = [](const Record& record) {
        return std::pair(!may_tell(Door::smtp, record.kind), record.time);
    };
    std::stable_sort(all.begin(), all.end(),
                     [&](const Record& a, const Record& b) { return place(a) < place(b); });
    return all;
}

std::vector<std::uint64_t> Archive::find(const Search& search) {
    std::set<std::uint64_t, std::greater<>> found;
    const std::size_t most = search.from.empty() || search.to.empty() ? search.most : searched;
    std::set<std::uint64_t> receiving;
    for (const auto& file : files_) {
        const auto ids = !search.from.empty() ? file->find(search.from, 'f', search.since, INT64_MAX, most)
                         : !search.to.empty() ? file->find(search.to, 't', search.since, INT64_MAX, most)
                                              : file->all(search.since, INT64_MAX, most);
        found.insert(ids.begin(), ids.end());
        if (search.from.empty() || search.to.empty()) continue;
        const auto to = file->find(search.to, 't', search.since, INT64_MAX, most);
        receiving.insert(to.begin(), to.end());
    }
    std::vector<std::uint64_t> ids;
    for (const std::uint64_t id : found) {
        if (ids.size() >= search.most) break;
        if (search.from.empty() || search.to.empty() || receiving.contains(id)) ids.push_back(id);
    }
    std::reverse(ids.begin(), ids.end());
    return ids;
}

std::size_t Archive::forget(const std::string& address) {
    std::size_t count = 0;
    for (const auto& file : files_) count += file->forget(address);
    return count;
}

std::string line_of(const Record& record) {
    const std::string words = words_of(record);
    return words.empty() ? "" : time_of(record.time) + "  " + words;
}

Json json_of(const Record& record) {
    Json event = {{"time", date_iso(record.time)}, {"event", record.kind}};
    for (const auto& [name, value] : record.fields) {
        const auto same = [&, key = std::string_view(name)](const auto& field) { return field.first == key; };
        if (std::count_if(record.fields.begin(), record.fields.end(), same) > 1 || name == "rcpt" ||
            name == "dns")
            event[name].push_back(value);
        else
            event[name] = value;
    }
    return event;
}

std::vector<std::uint64_t> children_of(const Record& record) {
    if (record.kind == "bounce" || record.kind == "report") return {record.number("qp")};
    if (record.kind != "delivery" || record.field("result") != "success") return {};
    // "did 0+1+0/qp 1795391255698000": what qmail-local says of a forward.
    std::vector<std::uint64_t> ids;
    std::string_view text = record.field("text");
    constexpr std::string_view word = "qp ";
    for (std::size_t at = text.find(word); at != std::string_view::npos; at = text.find(word)) {
        text.remove_prefix(at + word.size());
        const std::size_t end = std::min(text.find_first_not_of("0123456789"), text.size());
        const std::uint64_t id = parse_number(text.substr(0, end)).value_or(0);
        if (id >= smallest_id) ids.push_back(id);
    }
    return ids;
}

bool is_evidence(const Record& record) {
    return record.kind == "refuse" || record.kind == "suspect" || record.kind == "verified" ||
           record.kind == "milters";
}

std::optional<std::uint64_t> parse_since(std::string_view text, std::uint64_t now) {
    if (text == "today") return midnight(now);
    if (text == "yesterday") return midnight(now) - a_day;
    if (text.size() >= 2 && text.size() <= 9) {
        constexpr std::string_view letters = "smhd";
        constexpr std::uint64_t units[] = {1, 60, 3600, 86'400};
        const std::size_t unit = letters.find(text.back());
        const auto number = parse_number(text.substr(0, text.size() - 1));
        if (number && unit != std::string_view::npos)
            return now - std::min(now, *number * units[unit] * a_second);
    }
    std::tm parts{};
    const std::string copy(text);
    for (const char* form : {"%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"}) {
        parts = {};
        const char* end = ::strptime(copy.c_str(), form, &parts);
        if (end != nullptr && *end == '\0') return static_cast<std::uint64_t>(::timegm(&parts)) * a_second;
    }
    return std::nullopt;
}

}  // namespace relais::trace
