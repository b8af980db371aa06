// .qmail files: which one holds the instructions for an address, and what its lines say. dot-qmail(5)
// describes both.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace relais::local {

// What a .qmail file of more octets than this is treated as: temporarily unreadable.
inline constexpr std::size_t dot_qmail_limit = std::size_t{16} << 20;

// The extension as it stands in a file name: in lower case, every dot a colon, and every slash too, so that
// an address never leads out of the directory or into another one.
std::string file_name_extension(std::string_view extension);

struct DotQmail {
    std::string path;
    std::string text;
    bool forward_only = false;                // its owner may execute it: it may only forward
    std::optional<std::string> default_part;  // what "default" stands for, when the file is a -default one
};

// Looks in the current directory for .qmail, dash and extension, then for "...-default" files, each a dash
// shorter. Files that are not regular are passed over. Nothing if there is none. Throws a temporary Error in
// qmail's words if one cannot be opened, or if others may write it.
std::optional<DotQmail> find_dot_qmail(std::string_view dash, std::string_view extension);

// True if the current directory has .qmail, dash, extension and suffix ("-owner"). Throws a temporary Error.
bool has_dot_qmail(std::string_view dash, std::string_view extension, std::string_view suffix);

struct Instruction {
    enum class Kind {
        blank,         // an empty first line: nothing may be delivered by this file
        mbox,          // text is a path
        maildir,       // text is a path that ends in a slash
        program,       // text is a command for the shell
        forward,       // text is an address
        forward_only,  // from here on only forwarding is allowed (+list)
    };
    Kind kind;
    std::string_view text;
    friend bool operator==(const Instruction&, const Instruction&) = default;
};

// The lines that count, in order; the views point into text. An empty text is an empty first line. Lines with
// a NUL throw a temporary Error: nobody can have meant them.
std::vector<Instruction> parse_dot_qmail(std::string_view text);

}  // namespace relais::local
