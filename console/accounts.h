// The operators of the console: users/operators, a line each, "NAME:ROLE:HASH", which root alone can read (or
// an instance's one user). A mail account is none. users/console-once holds the hash of one secret that lets
// somebody in once, for ten minutes: "HASH SECONDS ROLE". users/console-ended has a line for each whose
// sessions were ended by hand, "NAME RANDOM", and "* RANDOM" for all.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "console/protocol.h"
#include "control/home.h"

namespace relais::console {

struct Operator {
    std::string name;
    Role role = Role::reader;
    std::string hash;  // auth/hash.h
};

inline constexpr std::size_t name_limit = 64;
// Whom --once lets in.
inline constexpr std::string_view once_name = "once";
// Letters, digits, dot, dash, underscore and @.
bool is_operator_name(std::string_view name);

// A line that is wrong is left out; where wrong is given it gets the numbers of such lines.
std::vector<Operator> parse_operators(std::string_view text, std::vector<std::size_t>* wrong = nullptr);

// All there are. Throws Error for a file that cannot be read.
std::vector<Operator> read_operators(const control::Home& home);
bool is_operator(const control::Home& home, std::string_view name);
// Adds him, or replaces his line. Throws Error.
void set_operator(const control::Home& home, const Operator& account);
// False if there is none. Throws Error.
bool remove_operator(const control::Home& home, std::string_view name);

// Ends the sessions of that operator, "once" for those of --once, or of all for "". Throws Error.
void end_sessions(const control::Home& home, const std::string& name);
// What end_sessions changes: text that a session of that name has seen when it began. Throws Error.
std::string ending_of(const control::Home& home, std::string_view name);

// Makes a secret for one login, in the place of the one before. Throws Error.
std::string make_once(const control::Home& home, Role role);
// The role that the secret gives; it is used up then. Nothing if it is wrong or too old. Throws Error.
std::optional<Role> take_once(const control::Home& home, std::string_view secret);

}  // namespace relais::console
