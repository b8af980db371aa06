#include "console/pages.h"

#include <fmt/core.h>

#include "base/text.h"
#include "console/html.h"

namespace relais::console {
namespace {

std::string card(std::string_view title, std::string_view number, std::string_view words) {
    return fmt::format("<div class=\"card\">{}<b>{}</b><small>{}</small></div>", escape(title),
                       escape(number), escape(words));
}

// doctor's lines begin with a word of seven octets.
constexpr std::size_t mark_width = 7;

std::string_view class_of(std::string_view mark) {
    if (mark.starts_with("WRONG")) return "wrong";
    if (mark.starts_with("look") || mark.starts_with("unseen")) return "warn";
    return mark.starts_with("ok") ? "good" : "faint";
}

// What needs somebody first, what is well folded away.
std::string findings(const Answer& doctor) {
    if (const std::string trouble = trouble_of(doctor); !trouble.empty())
        return element("p", "qmailctl doctor: " + trouble, "look");
    const Fields& row = doctor.rows.at(0);
    const std::string_view code = row.size() > 2 ? std::string_view(row[2]) : "";
    std::string bad, good;
    std::string* last = &good;
    for (const std::string_view line : split(row.size() > 1 ? std::string_view(row[1]) : "", '\n')) {
        if (line.size() <= mark_width) continue;
        const std::string_view kind = class_of(line);
        const std::string_view words = line.substr(mark_width);
        const bool remedy = words.starts_with("-> ");
        if (!remedy) last = kind == "wrong" || kind == "warn" ? &bad : &good;
        if (remedy)
            *last += element("li", words, "remedy");
        else if (last == &bad)
            bad += fmt::format("<li><b class=\"{}\">{}</b> {}</li>", kind, kind == "wrong" ? "wrong" : "look",
                               escape(words));
        else
            good += element("li", words, kind);
    }
    const bool well = code == "0";
    return fmt::format(
        "<section class=\"{}\" aria-label=\"Is it well?\"><h2>{}</h2><ul class=\"findings\">{}</ul>"
        "<details><summary>All that qmailctl doctor looked at</summary><ul class=\"findings\">{}</ul>"
        "</details></section>",
        well          ? "well"
        : code == "2" ? "bad-news"
                      : "look",
        well          ? "It is well."
        : code == "2" ? "Something does not work."
                      : "Something is worth a look.",
        bad, good);
}

std::string ages(const Answer& queue) {
    std::vector<std::vector<std::string>> rows;
    for (const Fields& row : queue.rows)
        if (row.size() == 3 && row[0] == "age")
            rows.push_back({escape(row[1] == "older" ? "older" : "up to " + row[1]), escape(row[2])});
    return table("The queue by age", {"Age", "Messages"}, rows, "The queue cannot be seen.");
}

std::string largest_groups(const Answer& queue) {
    std::vector<std::vector<std::string>> rows;
    for (const Fields& row : queue.rows)
        if (row.size() == 8 && row[0] == "group" && rows.size() < 5)
            rows.push_back({link("/queue" + filter_query({row[1], row[2], "", "", ""}),
                                 row[1].empty() ? "(none open)" : row[1]),
                            escape(row[2]), escape(row[3])});
    return table("What waits most", {"Destination", "Why", "Messages"}, rows, "Nothing waits.");
}

std::string text_of(const Answer& answer) {
    if (const std::string trouble = trouble_of(answer); !trouble.empty())
        return element("p", trouble, "notice");
    return "<pre>" + escape(trim(answer.rows.at(0).size() > 1 ? answer.rows[0][1] : "")) + "</pre>";
}

}  // namespace

std::string trouble_of(const Answer& answer) {
    if (answer.status == Status::done)
        return answer.rows.empty() && answer.name.empty() ? "there was no answer" : "";
    for (const Fields& row : answer.rows)
        if (row.size() > 1) return row[1];
    return "there was no answer";
}

Fields filter_of(const http::Form& query) {
    Fields filter;
    for (const std::string_view name : filter_fields) filter.emplace_back(trim(http::value_of(query, name)));
    return filter;
}

std::string filter_query(const Fields& filter) {
    std::string text;
    for (std::size_t i = 0; i < filter.size(); ++i)
        if (!filter[i].empty())
            text += fmt::format("{}{}={}", text.empty() ? "?" : "&", filter_fields[i],
                                http::encode_value(filter[i]));
    return text;
}

std::string login_body(std::string_view once, std::string_view why) {
    std::string text;
    if (!why.empty()) text += fmt::format("<p class=\"notice wrong\" role=\"alert\">{}</p>", escape(why));
    text += "<form method=\"post\" action=\"/login\" class=\"login\">";
    if (!once.empty())
        return text + hidden("once", once) +
               "<p>This address lets you in once.</p><button>Log in</button></form>";
    return text + input("name", "Operator", "") + input("password", "Password", "", "password") +
           "<button>Log in</button></form><p class=\"faint\">Accounts are made on the server: qmail-console "
           "--passwd NAME.</p>";
}

std::string now_body(const Answer& doctor, const Answer& queue, const Samples& samples) {
    const Levels& levels = samples.levels();
    std::string text = findings(doctor) + "<div class=\"cards\">";
    text += card("In the queue", levels.known ? std::to_string(levels.queue) : "?",
                 fmt::format("{} held, {} damaged", levels.held, levels.damaged));
    text += card("Local deliveries", std::to_string(levels.running_local),
                 fmt::format("under way, of {}", levels.limit_local));
    text += card("Remote deliveries", std::to_string(levels.running_remote),
                 fmt::format("under way, of {}", levels.limit_remote));
    const auto in = samples.per_minute(Count::in);
    const auto local = samples.per_minute(Count::local), remote = samples.per_minute(Count::remote);
    text += card("In, last minute", std::to_string(in.back()), "messages taken");
    text += card("Out, last minute", std::to_string(local.back() + remote.back()), "recipients delivered");
    text += "</div><div class=\"plots\">";
    text += bars("Messages taken into the queue, by minute", {{"taken", in}});
    text += bars("Recipients, by minute", {{"remote", remote},
                                           {"local", local},
                                           {"deferred", samples.per_minute(Count::deferred)},
                                           {"failed", samples.per_minute(Count::failed)}});
    text += "</div>";
    if (const std::string trouble = trouble_of(queue); !trouble.empty())
        return text + element("p", "the queue: " + trouble, "notice");
    return text + largest_groups(queue) + ages(queue);
}

std::string settings_body(const Answer& found) {
    return "<p>What the control files say, in the words of qmail-showctl(1). They are changed on the "
           "server.</p>" +
           text_of(found);
}

std::string who_body(const http::Form& query, const Answer* found) {
    const auto value = [&](std::string_view name) { return http::value_of(query, name); };
    std::string text = "<h2>May this client send?</h2><form class=\"form\" action=\"/who\">";
    text += input("client", "Client's address", value("client")) +
            input("sender", "Sender", value("sender")) + input("recipient", "Recipient", value("recipient")) +
            "<button>Ask</button></form>";
    if (found != nullptr && !value("client").empty()) text += text_of(*found);
    text += "<h2>Where does mail for this address go?</h2><form class=\"form\" action=\"/who\">" +
            input("address", "Address", value("address")) + "<button>Ask</button></form>";
    if (found != nullptr && value("client").empty()) text += text_of(*found);
    return text;
}

std::string message_body(std::string_view id, const Answer& life, const Answer& detail) {
    std::string text;
    const bool queued = detail.status == Status::done && !detail.rows.empty() && detail.rows[0].size() == 3;
    if (queued && detail.role == Role::operating) {
        text += "<form method=\"post\" action=\"/queue/act\" class=\"form\">" +
                hidden("token", detail.token) + hidden("id", id);
        for (const std::string_view act : acts)
            text += button("act", act, act, act == "delete" || act == "bounce" ? "bad" : "");
        text += "</form>";
    }
    if (const std::string trouble = trouble_of(life); !trouble.empty()) {
        text += element("p", "its life: " + trouble, "notice");
    } else if (life.rows.at(0).at(0) == "none") {
        text += element("p", "Nothing is remembered of it (control/keeptrace says how long it would be).",
                        "notice");
    } else {
        text += "<h2>Its life</h2><ol class=\"life\">";
        for (const Fields& row : life.rows) {
            if (row.size() != 6) continue;
            const std::string_view kind = row[4];
            const std::string_view look =
                kind.ends_with("success") || kind == "end"     ? "good"
                : kind.ends_with("deferral") || kind == "wait" ? "warn"
                : kind.ends_with("failure") || kind == "bounce" || kind == "refuse" || kind == "delete"
                    ? "wrong"
                    : "";
            const bool child = row[1] != "0";
            text += fmt::format(
                "<li class=\"{}{}\">{}{}{}</li>", look, child ? " child" : "",
                moment(static_cast<std::int64_t>(parse_number(row[3]).value_or(0) / 1'000'000)),
                child ? link("/message?id=" + http::encode_value(row[2]), row[2]) + " " : std::string(),
                escape(row[5]));
        }
        text += "</ol>";
    }
    if (queued) return text + "<h2>In the queue</h2><pre>" + escape(trim(detail.rows[0][1])) + "</pre>";
    return text + element("p",
                          detail.status == Status::done ? "It is not in the queue."
                                                        : "the queue: " + trouble_of(detail),
                          "none");
}

}  // namespace relais::console
