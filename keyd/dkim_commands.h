// What dkim-key does. Each prints, and returns the exit code: 0 done, and all keys that it is about are
// published; 1 one is not, or there is a step to come; 111 DNS did not answer. They throw Error.
#pragma once

#include <string>

#include "control/home.h"

namespace relais::keyd {

struct DkimOptions {
    std::string domain;
    std::string selector;      // by default all of the domain, and for a new one its type and month
    std::string type = "rsa";  // of a new one: rsa, ed25519, both
    std::string zone;          // a file that answers in the place of DNS
    bool unchecked = false;    // without asking DNS
};

// A new key, which does not sign yet, and its record.
int make_keys(const control::Home& home, const DkimOptions& options);
// The records.
int show_keys(const control::Home& home, const DkimOptions& options);
// Whether DNS has them.
int check_keys(const control::Home& home, const DkimOptions& options);
// They sign from now on, if DNS has them, in the place of those that do.
int use_keys(const control::Home& home, const DkimOptions& options);
// The next step of an exchange: makes new keys; lets them sign when they are published; withdraws the old
// ones when nothing that they signed is on its way any more.
int rotate_keys(const control::Home& home, const DkimOptions& options);

}  // namespace relais::keyd
