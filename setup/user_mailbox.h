// A mailbox for an address: a Maildir, and the .qmail file that leads there where the address needs one. It
// belongs to the user who gets mail for the address, and is made and removed as that user.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "control/home.h"

namespace relais::setup {

struct UserMailbox {
    std::string address;  // user@domain in lower case
    uid_t uid = 0;        // whose it is
    gid_t gid = 0;
    std::string home;       // absolute
    std::string maildir;    // below home
    std::string dot_qmail;  // name of the file in home; empty: control/defaultdelivery leads there
};

// Where the mailbox of an address is, or would be: a user of the system has the Maildir that
// control/defaultdelivery names, anybody else mail/DOMAIN/USER in the home of the user who gets the domain's
// mail (of a virtual domain its prefix's, else alias). Throws a permanent Error with what to do for a domain
// that is not delivered here, and for a user whose own .qmail file says where mail goes.
UserMailbox mailbox_of(const control::Home& home, const std::string& address);

// Makes what is missing: the Maildir, and a .qmail file with its line, or with these addresses to forward to
// in place of a Maildir. What was done, in lines. Throws Error; a .qmail file with other instructions is left
// alone, and that is a permanent Error.
std::string make_mailbox(const UserMailbox& mailbox, const std::vector<std::string>& forward_to);

// Removes the .qmail file, if nothing but the mailbox stands in it, and with the mail also the Maildir. What
// was done, and what stays, in lines. Throws Error.
std::string remove_mailbox(const UserMailbox& mailbox, bool with_mail);

}  // namespace relais::setup
