// Which relais this is.
#pragma once

#include <string_view>

namespace relais {

// "0.1.0"
std::string_view version();

}  // namespace relais
