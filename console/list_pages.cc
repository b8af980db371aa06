#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"
#include "base/words.h"
#include "console/html.h"
#include "console/pages.h"

namespace relais::console {
namespace {

// A year: nothing is under way for longer.
constexpr std::uint64_t longest = 366 * 86'400;
constexpr std::size_t most_open = 500;

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

// A form of one button, for operators.
std::string person_button(const Answer& who, std::string_view act, std::string_view whom,
                          std::string_view text) {
    if (who.role != Role::operating) return "";
    return "<form method=\"post\" action=\"/people/act\">" + hidden("token", who.token) +
           hidden("whom", whom) + button("act", act, text) + "</form>";
}

std::vector<std::string_view> heads_of(const Answer& who, std::vector<std::string_view> heads) {
    if (who.role == Role::operating) heads.emplace_back("Act");
    return heads;
}

void add_row(Cells& rows, std::vector<std::string> cells, std::string act) {
    if (!act.empty()) cells.push_back(std::move(act));
    rows.push_back(std::move(cells));
}

// act: what an operator may do about each of them; "" for nothing.
Cells senders(const Answer& found, std::string_view kind, std::string_view act = "") {
    Cells rows;
    for (const Fields& row : found.rows)
        if (row.size() == 7 && row[0] == kind)
            add_row(rows,
                    {cell(row[1]), cell(row[2]), cell(row[3]), octets_words(parse_number(row[4]).value_or(0)),
                     cell(row[5]), time_of(row[6])},
                    act.empty() ? "" : person_button(found, act, row[1], "hold its queued mail"));
    return rows;
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

// The words of a tool; "" where it has said none.
std::string_view words_of_tool(const Answer& answer) {
    return answer.status == Status::done && !answer.rows.empty() && answer.rows[0].size() > 1
               ? std::string_view(answer.rows[0][1])
               : std::string_view();
}

// Lines of "open-smtp list": address, login, service, and how long ago.
std::string open_table(const Answer& open) {
    if (const std::string trouble = trouble_of(open); !trouble.empty())
        return element("p", "open-smtp: " + trouble, "notice");
    Cells rows;
    std::size_t more = 0;
    for (const std::string_view line : split(words_of_tool(open), '\n')) {
        const auto words = words_of(line);
        if (words.size() < 4) continue;
        if (rows.size() >= most_open) {
            ++more;
            continue;
        }
        const auto standing = static_cast<std::size_t>(words[3].data() - line.data());
        add_row(rows,
                {cell(std::string(words[0])), cell(std::string(words[1])), cell(std::string(words[2])),
                 cell(std::string(line.substr(standing)))},
                person_button(open, "close", words[0], "close"));
    }
    std::string text = table("Open SMTP: who has logged in may send from there",
                             heads_of(open, {"Address", "Login", "Service", "Last login, and until when"}),
                             rows, "Nobody may send because of a login from his address.");
    if (more > 0) text += element("p", fmt::format("There are {} more (open-smtp list).", more), "faint");
    return text;
}

// Lines of qmail-counts: "held:login:LOGIN is held for 12 s".
std::string held_table(const Answer& held) {
    constexpr std::string_view key = "held:login:";
    const std::string_view words = words_of_tool(held);
    if (const std::string trouble = trouble_of(held); !trouble.empty())
        return element("p", "qmail-counts: " + trouble, "notice");
    Cells rows;
    for (const std::string_view line : split(words, '\n')) {
        const auto parts = words_of(line);
        if (parts.size() != 6 || !parts[0].starts_with(key)) continue;
        const std::string_view login = parts[0].substr(key.size());
        const auto seconds =
            static_cast<std::int64_t>(std::min<std::uint64_t>(parse_number(parts[4]).value_or(0), longest));
        add_row(rows, {cell(std::string(login)), escape(span_words(seconds))},
                person_button(held, "let", login, "let it send again"));
    }
    if (rows.empty() && !words.empty() && words.find(key) == std::string_view::npos)
        return element("p", trim(words), "notice");
    return table("Logins that are held (control/ratelimits)", heads_of(held, {"Login", "For"}), rows,
                 "No login is held.");
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

std::string people_body(const Answer& found, const Answer& open, const Answer& held) {
    if (const std::string trouble = trouble_of(found); !trouble.empty())
        return element("p", trouble, "notice") + held_table(held) + open_table(open);
    return basis(found, "messages accepted") +
           table("Accounts that have sent",
                 heads_of(found, {"Login", "Messages", "Recipients", "Size", "Addresses", "Last"}),
                 senders(found, "person", "hold"), "Nobody has logged in and sent.") +
           held_table(held) + open_table(open) +
           table("Clients without a login",
                 {"Address", "Messages", "Recipients", "Size", "Addresses", "Last"},
                 senders(found, "stranger"), "There were none.") +
           table("Wrong logins by SMTP", {"Address", "Wrong logins"},
                 counts(found, "login", "/refusals?client="), "There were none.");
}

std::string person_body(const Answer& result) {
    const std::string trouble = trouble_of(result);
    const std::string_view words = trim(words_of_tool(result));
    return (trouble.empty() ? "<pre>" + escape(words.empty() ? "done" : words) + "</pre>"
                            : element("p", trouble, "notice")) +
           link("/people", "Back to people");
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
