#include "local/dot_qmail.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

#include "base/classic_errno.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/text.h"

namespace relais::local {
namespace {

constexpr mode_t written_by_others = 0002;
constexpr std::string_view default_name = "default";

[[noreturn]] void cannot_open(const std::string& path, int error_number) {
    throw Error(Reaction::temporary,
                "Unable to open " + path + ": " + classic_errno_text(error_number) + ". (#4.3.0)",
                error_number);
}

// Nobody can have a file of a name that the file system does not take.
bool means_absent(int error_number) {
    return error_number == ENOENT || error_number == ENOTDIR || error_number == ENAMETOOLONG;
}

std::optional<DotQmail> open_dot_qmail(std::string path) {
    const Fd fd(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (!fd) {
        if (means_absent(errno)) return std::nullopt;
        cannot_open(path, errno);
    }
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) cannot_open(path, errno);
    if (!S_ISREG(status.st_mode)) return std::nullopt;
    if ((status.st_mode & written_by_others) != 0)
        throw Error(Reaction::temporary, "Uh-oh: .qmail file is writable. (#4.7.0)");
    DotQmail found;
    found.forward_only = (status.st_mode & S_IXUSR) != 0;
    try {
        if (status.st_size > 0) found.text = read_to_end(fd.get(), dot_qmail_limit, Deadline::never());
    } catch (const Error& error) {
        cannot_open(path, error.number());
    }
    found.path = std::move(path);
    return found;
}

std::optional<Instruction> parse_line(std::string_view line, bool first) {
    using Kind = Instruction::Kind;
    if (line.empty()) return first ? std::optional(Instruction{Kind::blank, {}}) : std::nullopt;
    switch (line.front()) {
        case '#':
            return std::nullopt;
        case '.':
        case '/':
            return Instruction{line.back() == '/' ? Kind::maildir : Kind::mbox, line};
        case '|':
            return Instruction{Kind::program, line.substr(1)};
        case '+':
            return line == "+list" ? std::optional(Instruction{Kind::forward_only, {}}) : std::nullopt;
        case '&':
            return Instruction{Kind::forward, line.substr(1)};
        default:
            return Instruction{Kind::forward, line};
    }
}

std::string_view without_trailing_blanks(std::string_view line) {
    return line.substr(0, line.find_last_not_of(" \t") + 1);
}

}  // namespace

std::string file_name_extension(std::string_view extension) {
    std::string name = lower(extension);
    std::replace_if(
        name.begin(), name.end(), [](char c) { return c == '.' || c == '/'; }, ':');
    return name;
}

std::optional<DotQmail> find_dot_qmail(std::string_view dash, std::string_view extension) {
    const std::string name = file_name_extension(extension);
    const std::string start = ".qmail" + std::string(dash);
    if (auto found = open_dot_qmail(start + name)) {
        if (name.ends_with(default_name))
            found->default_part = extension.substr(name.size() - default_name.size());
        return found;
    }
    for (std::size_t length = name.size() + 1; length-- > 0;) {
        if (length > 0 && name[length - 1] != '-') continue;
        if (auto found = open_dot_qmail(start + name.substr(0, length) + std::string(default_name))) {
            found->default_part = extension.substr(length);
            return found;
        }
    }
    return std::nullopt;
}

bool has_dot_qmail(std::string_view dash, std::string_view extension, std::string_view suffix) {
    const std::string path =
        ".qmail" + std::string(dash) + file_name_extension(extension) + std::string(suffix);
    struct stat status {};
    if (::stat(path.c_str(), &status) == 0) return true;
    if (means_absent(errno) || errno == EACCES || errno == ELOOP) return false;
    cannot_open(path, errno);
}

std::vector<Instruction> parse_dot_qmail(std::string_view text) {
    if (text.find('\0') != std::string_view::npos)
        throw Error(Reaction::temporary, "Uh-oh: .qmail has a NUL octet. (#4.3.0)");
    std::vector<Instruction> instructions;
    for (bool first = true; first || !text.empty(); first = false) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        if (const auto instruction = parse_line(without_trailing_blanks(text.substr(0, end)), first))
            instructions.push_back(*instruction);
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return instructions;
}

}  // namespace relais::local
