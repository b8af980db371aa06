#include <algorithm>
#include <string>
#include <string_view>

#include "base/text.h"
#include "control/table.h"

namespace relais::control {
namespace {

constexpr std::string_view head = R"(.Dd November 30, 2026
.Dt QMAIL-CONTROL 5
.Os
.Sh NAME
.Nm qmail-control
.Nd the files in the directory control
.Sh DESCRIPTION
An instance is set by the files in its directory
.Pa control .
In a file with a line or a number only the first line counts.
In a file of several lines empty lines do not count, nor do those that begin with
.Ql # .
Blanks at the end of a line never count.
A number that is out of its bounds counts as the nearer bound, and what is no number as the default.
.Pp
.Ql qmail-showctl
shows what each file says in an instance, and
.Ql qmail-showctl --check
what is wrong with it.
The programs' own pages say more about the files they read.
.Bl -tag -width Ds
)";

constexpr std::string_view foot = R"(.El
.Sh SEE ALSO
.Xr qmail-local 8 ,
.Xr qmail-remote 8 ,
.Xr qmail-send 8 ,
.Xr qmail-setup 8 ,
.Xr qmail-showctl 8 ,
.Xr qmail-smtpd 8
)";

// Text at the beginning of a line or anywhere in it, so that nothing in it is a request of roff.
std::string escaped(std::string_view text) {
    std::string result;
    for (const char c : text) {
        if (c == '\\')
            result += "\\e";
        else if (c == '-')
            result += "\\-";
        else
            result += c;
    }
    return result.starts_with('.') || result.starts_with('\'') ? "\\&" + result : result;
}

std::string capitalized(std::string_view text) {
    std::string result(text);
    const std::size_t word = std::min(result.find(' '), result.size());
    // A form or a list of values, "domain:prefix" or "off, warn", begins as it is written.
    const bool plain = std::all_of(result.begin(), result.begin() + static_cast<std::ptrdiff_t>(word),
                                   [](char c) { return c >= 'a' && c <= 'z'; });
    if (plain && !result.empty()) result.front() = static_cast<char>(result.front() - 'a' + 'A');
    return result;
}

std::string default_of(const ControlFile& row) {
    if (row.me_default) return "The default is that of\n.Pa control/me .\n";
    if (row.fallback.empty()) return "";
    std::string value(row.fallback);
    if (row.unit == Unit::seconds) value += row.fallback == "1" ? " second" : " seconds";
    if (row.unit == Unit::octets && row.fallback != "0") value += " octets";
    return "Default:\n.Li \"" + escaped(value) + "\" .\n";
}

std::string bounds_of(const ControlFile& row) {
    constexpr std::uint64_t unbounded = std::numeric_limits<std::uint64_t>::max();
    if (row.kind != FileKind::number || row.unit == Unit::flag) return "";
    if (row.most != unbounded)
        return "It lies between " + std::to_string(row.least) + " and " + std::to_string(row.most) + ".\n";
    return row.least > 0 ? "It is at least " + std::to_string(row.least) + ".\n" : "";
}

std::string_view form_of(const ControlFile& row) {
    switch (row.kind) {
        case FileKind::line:
            return "a line";
        case FileKind::number:
            return row.unit == Unit::flag ? "0 or 1" : "a number";
        case FileKind::domains:
            return "a domain on each line";
        case FileKind::lines:
            return "lines";
        case FileKind::pem:
            return "PEM";
        case FileKind::database:
            return "a cdb";
    }
    return "";
}

}  // namespace

std::string manual_page() {
    std::string page(head);
    for (const ControlFile& row : control_files())
        page += ".It Pa " + std::string(row.name) + " No (" + std::string(form_of(row)) + "; " +
                std::string(row.reader) + ")\n" + escaped(capitalized(row.meaning)) + ".\n" +
                default_of(row) + bounds_of(row);
    return page + std::string(foot);
}

}  // namespace relais::control
