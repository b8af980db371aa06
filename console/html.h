// How the console writes HTML. Text from outside passes escape(), and nothing else makes markup of it: Html
// is what is markup already, and only this folder's pages make one.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "console/protocol.h"

namespace relais::console {

// Text as HTML shows it, also within quotation marks: markup is escaped, what is not UTF-8 or could command a
// terminal is '_'; line ends stay.
std::string escape(std::string_view text);

// "<td>text</td>" and the like; the text is escaped. classes: of ours.
std::string element(std::string_view name, std::string_view text, std::string_view classes = "");
// A link within the console; path is ours, with values that went through http::encode_value.
std::string link(std::string_view path, std::string_view text);
std::string hidden(std::string_view name, std::string_view value);
// A button of a form: what it says, and what is sent.
std::string button(std::string_view name, std::string_view value, std::string_view text,
                   std::string_view classes = "");
// A labelled field of a form.
std::string input(std::string_view name, std::string_view label, std::string_view value,
                  std::string_view type = "text");
// A table: the heads, then rows of cells, which are HTML already. The first cell of a row is its head.
// Nothing for a table without rows but a paragraph with none.
std::string table(std::string_view caption, const std::vector<std::string_view>& heads,
                  const std::vector<std::vector<std::string>>& rows, std::string_view none);

// "12 s", "5 min", "3 h", "2 d".
std::string span_words(std::int64_t seconds);
// "13 KB".
std::string octets_words(std::uint64_t octets);
// A moment, in UTC, as an element of time.
std::string moment(std::int64_t unix_seconds);

struct Page {
    std::string_view title;
    std::string_view place;  // of the navigation; "" for a page without it
    std::string body{};
    unsigned live = 0;  // seconds between two looks; 0: it stays as it is
};
// The whole document. who: whose session it is; nothing without a session.
std::string document(const Page& page, const Answer* who);

// What the pages refer to.
extern const std::string_view style_sheet;
extern const std::string_view live_script;

}  // namespace relais::console
