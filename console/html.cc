#include "console/html.h"

#include <fmt/core.h>

#include "base/printable.h"
#include "base/text.h"
#include "base/time.h"

namespace relais::console {
namespace {

struct Place {
    std::string_view path, name;
};
constexpr Place places[] = {{"/", "Now"},
                            {"/queue", "Queue"},
                            {"/destinations", "Destinations"},
                            {"/people", "People"},
                            {"/refusals", "Refusals"},
                            {"/who", "Who may?"},
                            {"/settings", "Settings"}};

std::string navigation(std::string_view here, const Answer& who) {
    std::string text = "<nav aria-label=\"Pages\"><ul>";
    for (const Place& place : places)
        text += fmt::format("<li><a href=\"{}\"{}>{}</a></li>", place.path,
                            place.path == here ? " aria-current=\"page\"" : "", escape(place.name));
    text +=
        "</ul></nav><form class=\"message\" action=\"/message\" role=\"search\"><label>Message "
        "<input name=\"id\" inputmode=\"numeric\" size=\"16\" maxlength=\"19\" required></label>"
        "<button>Show</button></form>";
    return text + fmt::format(
                      "<form method=\"post\" action=\"/logout\" class=\"out\">{}<span>{} "
                      "<small>{}</small></span> <button>Log out</button> <button name=\"where\" "
                      "value=\"everywhere\" title=\"in every browser\">everywhere</button></form>",
                      hidden("token", who.token), escape(who.name), role_name(who.role));
}

}  // namespace

std::string escape(std::string_view text) {
    std::string out;
    bool first = true;
    for (const std::string_view line : split(text, '\n')) {
        if (!first) out += '\n';
        first = false;
        for (const char c : printable(line)) switch (c) {
                case '&':
                    out += "&amp;";
                    break;
                case '<':
                    out += "&lt;";
                    break;
                case '>':
                    out += "&gt;";
                    break;
                case '"':
                    out += "&quot;";
                    break;
                case '\'':
                    out += "&#39;";
                    break;
                default:
                    out += c;
            }
    }
    return out;
}

std::string element(std::string_view name, std::string_view text, std::string_view classes) {
    return fmt::format("<{}{}>{}</{}>", name, classes.empty() ? "" : fmt::format(" class=\"{}\"", classes),
                       escape(text), name);
}

std::string link(std::string_view path, std::string_view text) {
    return fmt::format("<a href=\"{}\">{}</a>", escape(path), escape(text));
}

std::string hidden(std::string_view name, std::string_view value) {
    return fmt::format("<input type=\"hidden\" name=\"{}\" value=\"{}\">", name, escape(value));
}

std::string button(std::string_view name, std::string_view value, std::string_view text,
                   std::string_view classes) {
    return fmt::format("<button name=\"{}\" value=\"{}\"{}>{}</button>", name, escape(value),
                       classes.empty() ? "" : fmt::format(" class=\"{}\"", classes), escape(text));
}

std::string input(std::string_view name, std::string_view label, std::string_view value,
                  std::string_view type) {
    return fmt::format("<label>{} <input name=\"{}\" type=\"{}\" value=\"{}\" maxlength=\"{}\"{}></label>",
                       escape(label), name, type, escape(value), argument_limit,
                       type == "password" ? " autocomplete=\"current-password\"" : "");
}

std::string table(std::string_view caption, const std::vector<std::string_view>& heads,
                  const std::vector<std::vector<std::string>>& rows, std::string_view none) {
    if (rows.empty()) return element("h2", caption) + element("p", none, "none");
    std::string text = "<div class=\"table\"><table>" + element("caption", caption) + "<thead><tr>";
    for (const std::string_view head : heads) text += fmt::format("<th scope=\"col\">{}</th>", escape(head));
    text += "</tr></thead><tbody>";
    for (const auto& row : rows) {
        text += "<tr>";
        for (std::size_t i = 0; i < row.size(); ++i)
            text += i == 0 ? "<th scope=\"row\">" + row[i] + "</th>"
                           : fmt::format("<td data-head=\"{}\">{}</td>",
                                         i < heads.size() ? escape(heads[i]) : "", row[i]);
        text += "</tr>";
    }
    return text + "</tbody></table></div>";
}

std::string span_words(std::int64_t seconds) {
    if (seconds < 0) return "0 s";
    if (seconds < 120) return fmt::format("{} s", seconds);
    if (seconds < 120 * 60) return fmt::format("{} min", seconds / 60);
    if (seconds < 48 * 3600) return fmt::format("{} h", seconds / 3600);
    return fmt::format("{} d", seconds / 86400);
}

std::string octets_words(std::uint64_t octets) {
    constexpr const char* units[] = {"B", "KB", "MB", "GB"};
    std::size_t unit = 0;
    auto value = static_cast<double>(octets);
    while (value >= 1000 && unit + 1 < std::size(units)) {
        value /= 1000;
        ++unit;
    }
    return unit == 0 || value >= 10 ? fmt::format("{:.0f} {}", value, units[unit])
                                    : fmt::format("{:.1f} {}", value, units[unit]);
}

std::string moment(std::int64_t unix_seconds) {
    return fmt::format("<time>{} UTC</time>", date_gmt(unix_seconds));
}

std::string document(const Page& page, const Answer* who) {
    std::string text = fmt::format(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{} - relais</title>"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
        "<meta name=\"color-scheme\" content=\"light dark\"><link rel=\"icon\" href=\"data:,\">"
        "<link rel=\"stylesheet\" href=\"/style.css\"><script src=\"/live.js\" defer></script></head><body>"
        "<a class=\"skip\" href=\"#main\">To the content</a><header><b class=\"name\">relais</b>",
        escape(page.title));
    if (who != nullptr) text += navigation(page.place, *who);
    return text + fmt::format(
                      "</header><main id=\"main\" tabindex=\"-1\" data-live=\"{}\"><h1>{}</h1>{}</main>"
                      "<p id=\"state\" role=\"status\" aria-live=\"polite\"></p></body></html>\n",
                      page.live, escape(page.title), page.body);
}

}  // namespace relais::console
