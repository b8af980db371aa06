// Text in the columns of a terminal. Pure.
#pragma once

#include <string>
#include <string_view>

namespace relais {

// How many columns the text takes. What may be wide counts as two; an octet that is no UTF-8 as one.
unsigned columns_of(std::string_view text);

// The text in that many columns: cut, or filled up with blanks.
std::string fit(std::string_view text, unsigned columns);

}  // namespace relais
