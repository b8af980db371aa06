#include "family/summary.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/printable.h"
#include "base/text.h"
#include "mail/header.h"

namespace relais::family {
namespace {

constexpr std::size_t beginning_limit = 65536;
constexpr std::size_t from_columns = 28;
constexpr std::size_t line_columns = 79;

std::size_t columns_of(std::string_view text) {
    return static_cast<std::size_t>(
        std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

// The first characters of UTF-8 text.
std::string_view first_columns(std::string_view text, std::size_t count) {
    std::size_t end = 0;
    while (end < text.size() && (count > 0 || (text[end] & 0xc0) == 0x80))
        if ((text[end++] & 0xc0) != 0x80) --count;
    return text.substr(0, end);
}

// A field's body on one line.
std::string one_line(std::string_view body) {
    std::string line;
    for (const char c : trim(body)) {
        const bool blank = c == ' ' || c == '\t' || c == '\r' || c == '\n';
        if (!blank)
            line += c;
        else if (!line.ends_with(' '))
            line += ' ';
    }
    return printable(line);
}

}  // namespace

std::vector<std::string> maildir_files(const std::string& directory, bool with_read_ones) {
    std::vector<std::pair<std::string, std::string>> named;
    for (const char* part : {"/new", "/cur"}) {
        if (!with_read_ones && part == std::string_view("/cur")) continue;
        std::error_code error;
        std::filesystem::directory_iterator files(directory + part, error);
        for (; !error && files != std::filesystem::directory_iterator(); files.increment(error)) {
            const std::string name = files->path().filename().string();
            if (!name.starts_with('.')) named.emplace_back(name, files->path().string());
        }
        if (error) throw_errno("read", directory + part, error.value());
    }
    std::sort(named.begin(), named.end());
    std::vector<std::string> paths;
    for (auto& [name, path] : named) paths.push_back(std::move(path));
    return paths;
}

std::string summary_line(std::string_view header) {
    mail::HeaderReader reader(beginning_limit);
    if (reader.add(header) == mail::HeaderReader::State::more) reader.finish();
    std::string from;
    std::string subject;
    for (const std::string& field : reader.fields()) {
        const auto name = mail::field_name(field);
        if (!name) continue;
        if (from.empty() && equal_ignoring_case(*name, "From")) from = one_line(mail::field_body(field));
        if (subject.empty() && equal_ignoring_case(*name, "Subject"))
            subject = one_line(mail::field_body(field));
    }
    std::string line(first_columns(from, from_columns));
    line.append(from_columns - columns_of(line), ' ').append("  ");
    return line.append(first_columns(subject, line_columns - from_columns - 2));
}

std::string beginning_of(const std::string& path) {
    const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (!file && errno == ENOENT) return {};
    if (!file) throw_errno("open", path);
    struct stat info {};
    if (::fstat(file.get(), &info) != 0) throw_errno("look at", path);
    if (!S_ISREG(info.st_mode)) return {};
    std::string text(beginning_limit, '\0');
    std::size_t size = 0;
    while (size < text.size()) {
        const std::size_t count =
            read_some(file.get(), std::span(text.data() + size, text.size() - size), Deadline::never());
        if (count == 0) break;
        size += count;
    }
    text.resize(size);
    return text;
}

}  // namespace relais::family
