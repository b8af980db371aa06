#include "local/assign.h"

#include <optional>

#include "base/cdb.h"
#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "local/user.h"

namespace relais::local {
namespace {

constexpr std::size_t assign_limit = std::size_t{1} << 30;
constexpr std::size_t line_limit = 65536;
constexpr std::size_t data_fields = 6;

// The first six fields behind the address. Anything behind the sixth colon is a remark, as with qmail.
std::string data_of(std::string_view rest) {
    std::vector<std::string_view> fields = split(rest, ':');
    // "home:-:" is short of one colon but not of a field; "home:-:li" may have been cut within a field.
    if (fields.size() < data_fields)
        throw_permanent("it has " + std::to_string(fields.size() + 1) + " of 7 fields");
    if (fields.size() == data_fields && !fields.back().empty())
        throw_permanent("its last field is not ended by a colon");
    std::string data(fields[0]);
    for (std::size_t i = 1; i < data_fields; ++i) data.append(1, '\0').append(fields[i]);
    if (!parse_id(fields[1])) throw_permanent("the user id is not a number: " + std::string(fields[1]));
    if (!parse_id(fields[2])) throw_permanent("the group id is not a number: " + std::string(fields[2]));
    if (!decode_user(data, "")) throw_permanent("the home directory does not begin with a slash");
    return data;
}

[[noreturn]] void bad_format(const std::string& what) {
    throw Error(Reaction::temporary, "bad format in users/assign: " + what);
}

// Calls use with every line before the one that begins with a dot.
template <class Use>
void each_line(std::string_view text, const Use& use) {
    for (std::size_t number = 1;; ++number) {
        const std::size_t end = text.find('\n');
        if (!text.empty() && text.front() == '.') return;
        if (end == std::string_view::npos) bad_format("the last line is not a dot: is the file whole?");
        try {
            use(text.substr(0, end));
        } catch (const Error& error) {
            if (error.reaction() != Reaction::permanent) throw;
            bad_format("line " + std::to_string(number) + ": " + error.what());
        }
        text.remove_prefix(end + 1);
    }
}

}  // namespace

AssignRecord parse_assign_line(std::string_view line) {
    if (line.size() > line_limit) throw_permanent("it is too long");
    if (line.find('\0') != std::string_view::npos) throw_permanent("it has a NUL octet");
    if (line.empty()) throw_permanent("it is empty");
    const bool wildcard = line.front() == '+';
    if (!wildcard && line.front() != '=') throw_permanent("it begins with neither = nor +");
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) throw_permanent("it has no colon");
    AssignRecord record;
    record.key = "!" + lower(line.substr(1, colon - 1));
    if (!wildcard)
        record.key += '\0';
    else if (colon > 1)
        record.wildcard_end = record.key.back();
    record.data = data_of(line.substr(colon + 1));
    return record;
}

void compile_assign(const control::Home& home) {
    const std::string path = home.path("users/assign");
    const std::optional<std::string> text = read_file(path, assign_limit);
    if (!text) throw_errno("open", path, ENOENT);
    CdbWriter writer(home.path("users/cdb"), home.path("users/cdb.tmp"));
    std::string wildcard_ends;
    each_line(*text, [&](std::string_view line) {
        const AssignRecord record = parse_assign_line(line);
        if (record.wildcard_end != '\0' && wildcard_ends.find(record.wildcard_end) == std::string::npos)
            wildcard_ends += record.wildcard_end;
        writer.add(record.key, record.data);
    });
    writer.add("", wildcard_ends);
    writer.commit();
}

}  // namespace relais::local
