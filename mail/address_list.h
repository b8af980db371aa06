// Lists of addresses in header fields (RFC 5322, 3.4, with the obsolete forms of 4.4 and what people write
// instead): read, changed and written again.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace relais::mail {

// One address of a list, in the suite's unquoted form, with the text around it ready to be written.
struct ListedAddress {
    std::string local;
    std::string domain;
    bool has_domain = false;  // an '@' was written
    bool bracketed = false;
    std::string name;     // the phrase before the bracket
    std::string comment;  // all comments, in their parentheses

    // local@domain, or local alone; empty for <>.
    std::string address() const;
};

// What commas separate: one address, a group, or a comment that stands alone.
struct ListEntry {
    bool group = false;
    std::string name;  // of the group, or the comment alone
    std::vector<ListedAddress> addresses;
};
using AddressList = std::vector<ListEntry>;

// Reads the body of a To, From or such field. Source routes, and dots or '@' at an address's end, are
// dropped; addresses that only blanks separate are taken apart; ';' outside a group separates like ','.
// Nothing for a syntax error.
std::optional<AddressList> parse_address_list(std::string_view body);

// All addresses of a list in order, groups resolved.
std::vector<ListedAddress*> addresses_of(AddressList& list);

// "NAME: a, b" and a line end, folded at commas beyond 80 columns.
std::string write_address_field(std::string_view field_name, const AddressList& list);

}  // namespace relais::mail
