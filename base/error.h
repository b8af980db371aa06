// Failures are exceptions of one type, Error, thrown where the system says no and caught where somebody can
// react: in a program's main (run_program), at the end of a session or a delivery. What is an ordinary
// outcome (an address that does not parse, a host that refuses) is a value, not an Error. HACKING.md has the
// rule.
#pragma once

#include <cerrno>
#include <stdexcept>
#include <string>
#include <string_view>

namespace relais {

// What a failure calls for from whoever caused the work.
enum class Reaction {
    temporary,  // try again later: disk full, out of memory, a server that does not answer
    permanent,  // never again in this form: wrong usage, wrong input
    bug,        // ours; treated as temporary by everything that holds mail
};

class Error : public std::runtime_error {
  public:
    Error(Reaction reaction, const std::string& text, int error_number = 0)
        : std::runtime_error(text), reaction_(reaction), number_(error_number) {}
    Reaction reaction() const { return reaction_; }
    // The errno behind the failure, 0 if there was none.
    int number() const { return number_; }

  private:
    Reaction reaction_;
    int number_;
};

// Throws a temporary Error "unable to VERB OBJECT: reason" for the given errno.
[[noreturn]] void throw_errno(std::string_view verb, std::string_view object, int error_number = errno);

// Throws a permanent Error with the text as it is: for wrong usage and wrong input.
[[noreturn]] void throw_permanent(const std::string& text);

// The text of an errno, as strerror has it, safe with threads.
std::string errno_text(int error_number);

}  // namespace relais
