// A .forward file as sendmail's users write it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "inject/rewrite.h"

namespace relais::forwarding {

struct ForwardFile {
    bool to_user = false;                 // one of its addresses is the user himself
    std::vector<std::string> recipients;  // complete addresses
    std::vector<std::string> commands;    // without their bar
    bool empty() const { return !to_user && recipients.empty() && commands.empty(); }
};

// Reads the file's lines: addresses as in a header field, "|command", # at the beginning of a line for a
// remark. user@host is the user himself, and so is user alone; letter case does not count. Throws a temporary
// Error for a line that cannot be read, and for deliveries to files and :include:, which .qmail has.
ForwardFile parse_forward_file(std::string_view text, std::string_view user, std::string_view host,
                               const inject::Rewriter& rewriter);

}  // namespace relais::forwarding
