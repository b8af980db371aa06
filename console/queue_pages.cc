#include <fmt/core.h>

#include "base/text.h"
#include "base/time.h"
#include "console/html.h"
#include "console/pages.h"

namespace relais::console {
namespace {

std::int64_t number(const std::string& text) {
    return static_cast<std::int64_t>(parse_number(text).value_or(0));
}

std::string age_of(const std::string& birth) {
    return span_words(now_seconds() - number(birth));
}

std::string next_of(const std::string& next) {
    const std::int64_t then = number(next);
    if (then == 0) return "-";
    return then <= now_seconds() ? "now" : "in " + span_words(then - now_seconds());
}

std::string path_of(const std::string& address) {
    return address.empty() ? element("span", "<>") : element("span", address);
}

std::string to(const std::string& recipient, const std::string& further) {
    return element("span", recipient) +
           (further == "0" ? "" : " " + element("small", "and " + further + " more"));
}

std::string message_link(const std::string& id) {
    return link("/message?id=" + http::encode_value(id), id);
}

std::string filter_form(const Fields& filter) {
    std::string text = "<form class=\"form\" action=\"/queue\" role=\"search\" aria-label=\"Filter\">";
    text += input("destination", "Destination", filter[0]) + hidden("reason", filter[1]);
    text += "<label>State <select name=\"state\">";
    for (const std::string_view state : queue_states)
        text += fmt::format("<option value=\"{}\"{}>{}</option>", state,
                            state == filter[2] ? " selected" : "", state.empty() ? "any" : state);
    text += "</select></label>" + input("sender", "Sender", filter[3]) +
            input("recipient", "Recipient", filter[4]);
    text += "<button>Show</button>";
    if (!filter_query(filter).empty()) text += link("/queue", "All");
    return text + "</form>";
}

std::string groups(const Answer& found, const Fields& filter) {
    std::vector<std::vector<std::string>> rows;
    for (const Fields& row : found.rows) {
        if (row.size() != 8 || row[0] != "group") continue;
        Fields narrow = filter;
        narrow[0] = row[1];
        narrow[1] = row[2];
        rows.push_back(
            {link("/queue" + filter_query(narrow), row[1].empty() ? "(none open)" : row[1]),
             element("span", row[2]), element("span", row[3], "number"), element("span", row[7], "number"),
             octets_words(static_cast<std::uint64_t>(number(row[4]))), age_of(row[5]), next_of(row[6])});
    }
    return table("By destination and reason",
                 {"Destination", "Why", "Messages", "Held", "Size", "Oldest", "Next try"}, rows,
                 "No message matches.");
}

std::string act_buttons(const Answer& found, const Fields& filter, std::size_t shown,
                        std::string_view total) {
    std::string text = hidden("token", found.token);
    for (std::size_t i = 0; i < filter.size(); ++i) text += hidden(filter_fields[i], filter[i]);
    text +=
        "<div class=\"acts\" role=\"group\" aria-label=\"Acts\"><label>On <select name=\"on\"><option "
        "value=\"marked\">those marked</option><option value=\"all\">all that match (" +
        escape(total) + ")</option></select></label>";
    for (const std::string_view act : acts)
        text += button("act", act, act, act == "delete" || act == "bounce" ? "bad" : "");
    text += fmt::format("<label hidden data-all><input type=\"checkbox\"> mark the {} shown</label>", shown);
    return text + "</div>";
}

std::string messages(const Answer& found, const Fields& filter, std::string_view total) {
    const bool may_act = found.role == Role::operating;
    std::vector<std::vector<std::string>> rows;
    for (const Fields& row : found.rows) {
        if (row.size() != 11 || row[0] != "message") continue;
        std::string head = message_link(row[1]);
        if (may_act)
            head = fmt::format(
                       "<label><input type=\"checkbox\" name=\"id\" value=\"{0}\" aria-label=\"Mark "
                       "{0}\"></label> ",
                       escape(row[1])) +
                   head;
        rows.push_back({head, age_of(row[2]), octets_words(static_cast<std::uint64_t>(number(row[3]))),
                        element("span", row[4], row[4] == "held" ? "warn" : ""), element("span", row[5]),
                        next_of(row[6]), path_of(row[7]), to(row[8], row[9]), element("span", row[10])});
    }
    if (rows.empty()) return "";
    const std::string list = table(
        fmt::format("The oldest {}", rows.size()),
        {"Message", "Age", "Size", "State", "Tries", "Next try", "Sender", "Recipient", "Why"}, rows, "");
    if (!may_act) return list;
    return "<form method=\"post\" action=\"/queue/act\">" + list +
           act_buttons(found, filter, rows.size(), total) + "</form>";
}

std::string hit_table(const Answer& hits, std::string& ids, std::size_t& count, bool& more) {
    constexpr std::size_t named = 50;
    std::vector<std::vector<std::string>> rows;
    for (const Fields& row : hits.rows) {
        more = more || (row.size() == 1 && row[0] == "more");
        if (row.size() != 8 || row[0] != "hit") continue;
        ++count;
        ids += hidden("id", row[1]);
        if (rows.size() < named)
            rows.push_back({message_link(row[1]), age_of(row[2]),
                            octets_words(static_cast<std::uint64_t>(number(row[3]))), element("span", row[4]),
                            path_of(row[5]), to(row[6], row[7])});
    }
    return table(count > named ? fmt::format("The first {} of {}", named, count) : "These",
                 {"Message", "Age", "Size", "State", "Sender", "Recipient"}, rows,
                 "No message matches any more.");
}

std::string_view meaning_of(std::string_view act) {
    if (act == "hold") return "They are not tried until somebody releases them.";
    if (act == "release") return "They are tried by the schedule again.";
    if (act == "retry") return "They are tried now.";
    if (act == "delete") return "They are removed, and nobody is told. This cannot be undone.";
    return "They are returned to their senders: what is not delivered fails now. This cannot be undone.";
}

}  // namespace

std::string queue_body(const Answer& found, const http::Form& query) {
    const Fields filter = filter_of(query);
    if (const std::string trouble = trouble_of(found); !trouble.empty())
        return filter_form(filter) + element("p", trouble, "notice");
    std::string total = "0", cut;
    for (const Fields& row : found.rows)
        if (row.size() == 3 && row[0] == "total") {
            total = row[1];
            if (row[2] == "cut") cut = " were looked at, the oldest; there are more";
        }
    std::string text = filter_form(filter);
    if (!filter[1].empty()) text += element("p", "Why: " + filter[1], "notice");
    text += element("p", total + " messages" + cut);
    return text + groups(found, filter) + messages(found, filter, total);
}

std::string confirm_body(const Answer& hits, std::string_view act) {
    std::string ids;
    std::size_t count = 0;
    bool more = false;
    const std::string list = hit_table(hits, ids, count, more);
    std::string text =
        element("p", meaning_of(act), act == "delete" || act == "bounce" ? "bad-news" : "notice");
    if (more) text += element("p", fmt::format("These are the oldest {}; there are more.", count), "look");
    if (count == 0) return list + link("/queue", "Back to the queue");
    const std::string what = count == 1 ? "1 message" : fmt::format("{} messages", count);
    return text + "<form method=\"post\" action=\"/queue/act\">" + hidden("token", hits.token) + ids +
           hidden("confirmed", "1") + "<div class=\"acts\">" +
           button("act", act, fmt::format("{} {}", act, what), "bad") + " " +
           link("/queue", "Leave them alone") + "</div>" + list + "</form>";
}

std::string result_body(const Answer& results, std::string_view act) {
    if (const std::string trouble = trouble_of(results); !trouble.empty())
        return element("p", trouble, "notice");
    std::size_t done = 0;
    std::vector<std::vector<std::string>> rows;
    for (const Fields& row : results.rows) {
        if (row.size() != 3) continue;
        done += row[0] == "done";
        rows.push_back(
            {message_link(row[1]),
             element("span", row[0] == "done" ? "done" : "not done", row[0] == "done" ? "good" : "wrong"),
             element("span", row[2])});
    }
    return element("p", fmt::format("{}: {} of {} done.", act, done, rows.size())) +
           table("Each of them", {"Message", "Done", "Words"}, rows, "Nothing was done.") + "<p>" +
           link("/queue", "Back to the queue") + "</p>";
}

}  // namespace relais::console
