#include "mail/mbox.h"

namespace relais::mail {

std::string_view mbox_gap(std::string_view end) {
    if (end.empty() || end.ends_with("\n\n") || end == "\n") return "";
    return end.ends_with('\n') ? "\n" : "\n\n";
}

}  // namespace relais::mail
