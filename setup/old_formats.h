// What stands in the files of a qmail queue, and what is made of it. Pure; anything may stand in them.
//
//   todo    u UID NUL p PID NUL F sender NUL (T recipient NUL)*     accepted, not looked at yet
//   info    F sender NUL                                            its time of change is the message's birth
//   local, remote   ((T | D) recipient NUL)*                        T to do, D done, also for those that failed
//   bounce  (<recipient>: LF text LF LF)*                           of those that failed, without virtual prefix
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "queue/store.h"
#include "send/rewrite.h"

namespace relais::setup {

struct OldRecipient {
    std::string address;
    bool done = false;
};

// Recipients as far as they can be read.
struct OldRecipients {
    std::vector<OldRecipient> all{};
    std::string fault{};  // what was left out, and why; "" if nothing
};
OldRecipients parse_old_recipients(std::string_view file);

// The sender in an info file; nothing if it is not exactly one.
std::optional<std::string> parse_old_info(std::string_view file);

struct OldTodo {
    std::uint32_t uid = 0;
    std::uint32_t pid = 0;
    std::string sender{};
    OldRecipients recipients{};
};
// Nothing if there is no sender.
std::optional<OldTodo> parse_old_todo(std::string_view file);

// Who brought a message, by the trace field that qmail-queue has put on top; a stranger where it says
// nothing.
struct OldOrigin {
    queue::Origin origin = queue::Origin::network;
    std::uint32_t uid = 0;
    std::uint32_t pid = 0;
};
OldOrigin parse_old_trace(std::string_view beginning);

// The recipients that a bounce text tells of, in order.
std::vector<std::string> bounced_addresses(std::string_view text);

// A file that somebody else's directory has under a further name: whoever owns the directory may have linked
// it there so that root reads it for him.
bool is_borrowed(const struct stat& file, const struct stat& directory);
inline constexpr std::string_view borrowed = "it has other names, and another owner than its directory";

using Prefixes = std::set<std::string, std::less<>>;
// The recipient as it was submitted: qmail-send has put the prefix of a virtual domain before it.
std::string without_prefix(const send::RewriteRules& rules, const Prefixes& prefixes,
                           const std::string& address);
// The prefixes in lines of virtualdomains.
Prefixes virtual_prefixes(const std::vector<std::string>& virtualdomains);

}  // namespace relais::setup
