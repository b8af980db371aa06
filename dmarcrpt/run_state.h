// What of the reports of the last days has been sent: users/dmarcreports, root's own (docs/internals.md,
// "Reports on DMARC"). Pure.
//
//   state = "relais dmarcreports 1" LF ["trying" SECONDS LF] (WORD DAY DOMAIN LF)*
//           WORD: "done", it is in the queue or goes nowhere; "late", DNS did not say where it goes.
//           DOMAIN: "*" for all of the day
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace relais::dmarcrpt {

struct RunState {
    std::uint64_t trying = 0;  // when a run was last begun that has not done all; seconds since 1970
    std::set<std::string> done{}, late{};  // "DAY DOMAIN"

    bool is_done(const std::string& day, const std::string& domain) const {
        return done.contains(day + " " + domain);
    }
    void note_done(const std::string& day, const std::string& domain);
    // Forgets what is of days before that one.
    void drop_before(const std::string& day);

    bool operator==(const RunState&) const = default;
};

std::string encode(const RunState& state);
// Nothing for what is no state.
std::optional<RunState> parse_run_state(std::string_view text);

// "2026-11-30", of UTC.
std::string day_text(std::uint64_t seconds);

}  // namespace relais::dmarcrpt
