// control/checks: what each check at the front door does with what it finds. A line is
//
//   NAME MODE
//
// off: it is not asked. log: the log says it, and the mail passes. tag: as log, and a field stands on top of
// the message. defer: 4xx. refuse: 5xx. A check without a line does what the table below says. Pure.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace relais::control {

enum class CheckMode { off, log, tag, defer, refuse };

struct KnownCheck {
    std::string_view name;  // as in policy/chain.cc
    CheckMode fallback;
};

// What a file lists is refused, as it ever was; what needs no file is off until somebody asks for it.
inline constexpr std::array known_checks = {
    KnownCheck{"badhelo", CheckMode::refuse},     KnownCheck{"heloself", CheckMode::off},
    KnownCheck{"badmailfrom", CheckMode::refuse}, KnownCheck{"badmailfromnorelay", CheckMode::refuse},
    KnownCheck{"badrcptto", CheckMode::refuse},
};

// Null for a check whose mode is not in this file.
const KnownCheck* find_check(std::string_view name);

std::string_view to_text(CheckMode mode);

class CheckModes {
  public:
    CheckModes() = default;
    // Lines that make no sense do not count; qmail-showctl tells of them.
    explicit CheckModes(const std::vector<std::string>& lines);

    CheckMode of(const KnownCheck& check) const;
    // What is wrong with a line; "" if nothing is.
    static std::string fault(std::string_view line);

  private:
    std::array<std::optional<CheckMode>, known_checks.size()> modes_{};
};

}  // namespace relais::control
