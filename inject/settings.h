// What qmail-inject learns from its environment and from control/: who writes, and the names that complete
// addresses.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_set>

#include "control/home.h"
#include "inject/rewrite.h"

namespace relais::inject {

struct Settings {
    Rewriter rewriter;
    std::string id_host;

    // From.
    std::string user = "anonymous";
    std::optional<std::string> host;
    std::optional<std::string> name;
    // The envelope sender, when neither -f nor Return-Path says it.
    std::string sender_user = "anonymous";
    std::optional<std::string> sender_host;

    // The letters of QMAILINJECT.
    bool address_comment = false;     // c
    bool ignore_return_path = false;  // s
    bool delete_from = false;         // f
    bool delete_message_id = false;   // i
    bool verp_per_recipient = false;  // r
    bool verp_per_message = false;    // m

    // Lists that want a Mail-Followup-To: the addresses in QMAILMFTFILE, lower case.
    std::unordered_set<std::string> followup_lists;

    std::int64_t now = 0;       // unix seconds
    std::uint64_t process = 0;  // tells apart what is made in one second

    // Throws Error if a file cannot be read.
    static Settings read(const control::Home& home);
};

}  // namespace relais::inject
