// Mail addresses. Inside the suite an address is one string local@domain, unquoted as qmail keeps it: the
// last '@' separates, the local part may hold any octet but NUL and LF, and may be without "@domain". Only
// the edges (SMTP, header fields) know quotes. Pure functions, no I/O.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace relais::mail {

// The sender of a bounce of a bounce: nothing ever answers it. Between servers it is the null sender, for
// others refuse it.
inline constexpr std::string_view double_bounce_sender = "#@[]";

// The longest address that the queue takes, in octets (qmail-queue exits 11 beyond it).
inline constexpr std::size_t address_limit = 1002;

struct AddressParts {
    std::string_view local;
    std::string_view domain;  // empty if there is none
    bool has_domain;
};
// At the last '@'. The views point into address.
AddressParts split_address(std::string_view address);

// What a MAIL or RCPT command says after "FROM:" or "TO:" (RFC 5321, 4.1.2), as clients really write it: a
// path in angle brackets, optional blanks before it, a source route (ignored), quoted local parts, address
// literals, the senders list-@host-@[] of mailing lists, no brackets at all (one word). Nothing for a syntax
// error.
struct PathArgument {
    std::string address;          // unquoted; empty for <>
    std::string_view parameters;  // what follows the path, for SIZE= and the like; points into the argument
};
std::optional<PathArgument> parse_path(std::string_view argument);

// The address as SMTP and header fields need it: the local part quoted if it must be (RFC 5321, 4.1.2).
std::string quoted_address(std::string_view address);

// If the domain is an address literal ([192.0.2.1] or [IPv6:2001:db8::1]), the address inside, else nothing.
std::optional<std::string> address_literal(std::string_view domain);

// True for a valid addr-spec in the sense of RFC 5322, 3.4.1 with its obsolete forms: for warnings and tools.
bool is_addr_spec(std::string_view text);

}  // namespace relais::mail
