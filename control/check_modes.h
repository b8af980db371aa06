// control/checks: what each check at the front door does with what it finds. A line is
//
//   NAME MODE [pass|defer]
//
// off: it is not asked. log: the log says it, and the mail passes. tag: as log, and a field stands on top of
// the message. defer: 4xx. refuse: 5xx. A check without a line does what the table below says. The third word
// is for checks that ask DNS: what becomes of mail while it does not answer; without it the mail passes where
// the mode lets all mail pass, and else is deferred.
//
// An instance without the file is older than the checks: there badmailfrom alone is asked, as ever. Pure.
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
    std::string_view file{};  // what it needs to find anything
    bool older = false;       // than control/checks
};

// What a file lists is refused, as it ever was; what needs no file is off until somebody asks for it.
inline constexpr std::array known_checks = {
    KnownCheck{"earlytalker", CheckMode::refuse, "greetdelay"},
    KnownCheck{"reversedns", CheckMode::off},
    KnownCheck{"badhelo", CheckMode::refuse, "badhelo"},
    KnownCheck{"heloself", CheckMode::off},
    KnownCheck{"badmailfrom", CheckMode::refuse, "badmailfrom", true},
    KnownCheck{"badmailfromnorelay", CheckMode::refuse, "badmailfromnorelay"},
    KnownCheck{"badrcptto", CheckMode::refuse, "badrcptto"},
    KnownCheck{"mfcheck", CheckMode::off},
    KnownCheck{"dnsbl", CheckMode::refuse, "dnsbllist"},
    KnownCheck{"ratelimits", CheckMode::refuse, "ratelimits"},
    KnownCheck{"greylist", CheckMode::off},
};

// Null for a check whose mode is not in this file.
const KnownCheck* find_check(std::string_view name);
// The check that a control file is for and that is not asked without control/checks; null for other files.
const KnownCheck* later_check_of(std::string_view file);

std::string_view to_text(CheckMode mode);

class CheckModes {
  public:
    CheckModes() = default;
    // Lines that make no sense do not count; qmail-showctl tells of them. Nothing: there is no file.
    explicit CheckModes(const std::optional<std::vector<std::string>>& lines);

    bool has_file() const { return has_file_; }
    CheckMode of(const KnownCheck& check) const;
    // Whether mail passes while the check cannot tell.
    bool passes_unknown(const KnownCheck& check) const;
    // What is wrong with a line; "" if nothing is.
    static std::string fault(std::string_view line);

  private:
    struct Words {
        std::optional<CheckMode> mode{};
        std::optional<bool> passes_unknown{};
    };
    // Nothing for a line that makes no sense.
    static std::optional<Words> parse(const std::vector<std::string_view>& words);

    bool has_file_ = true;
    std::array<Words, known_checks.size()> words_{};
};

}  // namespace relais::control
