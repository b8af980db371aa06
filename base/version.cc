#include "base/version.h"

namespace relais {

std::string_view version() {
    return RELAIS_VERSION;
}

}  // namespace relais
