#include "pop3/settings.h"

#include <algorithm>

#include "base/error.h"
#include "control/setting.h"

namespace relais::pop3 {

std::chrono::seconds session_timeout(const control::Home& home) {
    try {
        return control::read<"timeoutpop3d">(home);
    } catch (const Error&) {
        return control::default_of<"timeoutpop3d">();
    }
}

bool offers_utf8(const control::Home& home) {
    try {
        return control::read<"smtputf8">(home);
    } catch (const Error&) {
        return control::default_of<"smtputf8">();
    }
}

}  // namespace relais::pop3
