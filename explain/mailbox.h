// What keeps a delivery out of a Maildir or an mbox: a look with the eyes of the user who delivers.
#pragma once

#include <sys/types.h>

#include <string>

namespace relais::explain {

struct MailboxUser {
    std::string name;
    uid_t uid = 0;
    gid_t gid = 0;
    std::string home;
};

// Both are empty if nothing is wrong.
struct MailboxTrouble {
    std::string text;
    std::string remedy;  // safe to type as root, whatever the user has put into his home
};

// path is as in a .qmail file: from the home, and a Maildir if it ends with a slash. Nothing is opened or
// made. Throws Error.
MailboxTrouble trouble_of_mailbox(const MailboxUser& user, const std::string& path);

}  // namespace relais::explain
