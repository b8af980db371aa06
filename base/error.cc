#include "base/error.h"

#include <system_error>

namespace relais {

std::string errno_text(int error_number) {
    return std::generic_category().message(error_number);
}

void throw_errno(std::string_view verb, std::string_view object, int error_number) {
    std::string text = "unable to ";
    text.append(verb).append(" ").append(object).append(": ").append(errno_text(error_number));
    throw Error(Reaction::temporary, text, error_number);
}

void throw_permanent(const std::string& text) {
    throw Error(Reaction::permanent, text);
}

}  // namespace relais
