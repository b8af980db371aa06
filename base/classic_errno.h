// Failures in the words of qmail.
#pragma once

#include <string>

namespace relais {

// qmail's word for an errno, which programs that read bounces know, and the system's text behind it where
// that says it in other words: "file does not exist (No such file or directory)". For what may stand in a
// bounce.
std::string classic_errno_text(int error_number);

}  // namespace relais
