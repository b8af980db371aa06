#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"
#include "console/html.h"
#include "console/pages.h"

namespace relais::console {
namespace {

// A year: nothing is under way for longer.
constexpr std::uint64_t longest = 366 * 86'400;

using Cells = std::vector<std::vector<std::string>>;

std::string cell(const std::string& text) {
    return element("span", text);
}

std::string span_of(const std::string& milliseconds) {
    const std::uint64_t number = parse_number(milliseconds).value_or(0);
    return number == 0     ? "-"
           : number < 1000 ? fmt::format("{} ms", number)
                           : fmt::format("{}.{} s", number / 1000, number % 1000 / 100);
}

std::string time_of(const std::string& microseconds) {
    return moment(static_cast<std::int64_t>(parse_number(microseconds).value_or(0) / 1'000'000));
}

// What the numbers are about.
std::string basis(const Answer& found, std::string_view what) {
    for (const Fields& row : found.rows)
        if (row.size() == 3 && row[0] == "total")
            return element("p",
                           fmt::format("Of the last day: {} {}{}.", row[1], what,
                                       row[2] == "cut" ? ", the newest; there were more" : ""),
                           "faint");
    return "";
}

Cells senders(const Answer& found, std::string_view kind) {
    Cells rows;
    for (const Fields& row : found.rows)
        if (row.size() == 7 && row[0] == kind)
            rows.push_back({cell(row[1]), cell(row[2]), cell(row[3]),
                            octets_words(parse_number(row[4]).value_or(0)), cell(row[5]), time_of(row[6])});
    return rows;
}

Cells counts(const Answer& found, std::string_view kind, std::string_view path) {
    Cells rows;
    for (const Fields& row : found.rows)
        if (row.size() == 3 && row[0] == kind)
            rows.push_back({path.empty() ? cell(row[1])
                                         : link(std::string(path) + http::encode_value(row[1]),
                                                row[1].empty() ? "(none)" : row[1]),
                            cell(row[2])});
    return rows;
}

std::string destination_link(const std::string& name) {
    return name.starts_with('(') ? cell(name) : link("/queue?destination=" + http::encode_value(name), name);
}

// What qmail-send has for them now, and why it does not try it.
std::string now_table(const Answer& sender) {
    if (const std::string trouble = trouble_of(sender); !trouble.empty())
        return element("p", trouble, "notice");
    Cells rows;
    for (const Fields& row : sender.rows) {
        if (row.size() == 1 && row[0] == "silent")
            return element("p", "qmail-send does not run: nothing is tried.", "notice");
        if (row.size() != 8 || row[0] != "now") continue;
        rows.push_back({destination_link(row[1]), cell(row[2]), cell(row[3]), cell(row[4]), span_of(row[5]),
                        row[6] == "0" ? "-"
                                      : escape(span_words(static_cast<std::int64_t>(std::min<std::uint64_t>(
                                            parse_number(row[6]).value_or(0), longest)))),
                        element("span", row[7], row[7].empty() ? "" : "warn")});
    }
    return table("Now",
                 {"Destination", "Under way", "Next", "Waiting", "Usually", "Under way for", "Why not now"},
                 rows, "Nothing is under way, and nothing waits for its destination.");
}

}  // namespace

std::string destinations_body(const Answer& found, const Answer& sender) {
    if (const std::string trouble = trouble_of(found); !trouble.empty())
        return now_table(sender) + element("p", trouble, "notice");
    Cells rows;
    for (const Fields& row : found.rows) {
        if (row.size() != 8 || row[0] != "destination") continue;
        rows.push_back({destination_link(row[1]), element("span", row[2], "good"),
                        element("span", row[3], row[3] == "0" ? "" : "warn"),
                        element("span", row[4], row[4] == "0" ? "" : "wrong"), span_of(row[5]),
                        span_of(row[6]), cell(row[7])});
    }
    return now_table(sender) + basis(found, "deliveries") +
           table("By destination",
                 {"Destination", "Delivered", "Deferred", "Failed", "On average", "Slowest", "Last trouble"},
                 rows, "Nothing was delivered in the last day, as far as qmail-traced remembers.");
}

std::string people_body(const Answer& found) {
    if (const std::string trouble = trouble_of(found); !trouble.empty())
        return element("p", trouble, "notice");
    return basis(found, "messages accepted") +
           table("Accounts that have sent", {"Login", "Messages", "Recipients", "Size", "Addresses", "Last"},
                 senders(found, "person"), "Nobody has logged in and sent.") +
           table("Clients without a login",
                 {"Address", "Messages", "Recipients", "Size", "Addresses", "Last"},
                 senders(found, "stranger"), "There were none.") +
           table("Wrong logins by SMTP", {"Address", "Wrong logins"},
                 counts(found, "login", "/refusals?client="), "There were none.");
}

std::string refusals_body(const Answer& found, const http::Form& query) {
    std::string text = "<form class=\"form\" action=\"/refusals\" role=\"search\">" +
                       input("client", "Client's address", http::value_of(query, "client")) +
                       input("cause", "Cause", http::value_of(query, "cause")) +
                       "<button>Show</button></form>";
    if (const std::string trouble = trouble_of(found); !trouble.empty())
        return text + element("p", trouble, "notice");
    text += basis(found, "refusals");
    text += table("By cause", {"Cause", "Refusals"}, counts(found, "cause", "/refusals?cause="),
                  "Nobody was refused.");
    text += table("By client", {"Address", "Refusals"}, counts(found, "client", "/refusals?client="), "");
    Cells rows;
    for (const Fields& row : found.rows)
        if (row.size() == 10 && row[0] == "refusal")
            rows.push_back({time_of(row[2]), link("/refusals?client=" + http::encode_value(row[3]), row[3]),
                            cell(row[4]), cell(row[5].empty() ? "<>" : row[5]), cell(row[6]),
                            cell(row[7] + (row[8].empty() ? "" : " (" + row[8] + ")")),
                            link("/who?client=" + http::encode_value(row[3]) + "&sender=" +
                                     http::encode_value(row[5]) + "&recipient=" + http::encode_value(row[6]),
                                 "why?")});
    return text + table("The newest",
                        {"Time", "Client", "Cause", "Sender", "Recipient", "Reply, and why", "Ask"}, rows,
                        "");
}

}  // namespace relais::console
