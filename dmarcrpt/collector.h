// The process that reads what qmail-traced keeps: it collects a day, asks DNS who gets what, and packs the
// XML.
#pragma once

#include <set>
#include <string>

#include "control/home.h"
#include "control/owners.h"
#include "dmarcrpt/collection.h"
#include "dmarcrpt/letter.h"
#include "dmarcrpt/run_state.h"

namespace relais::dmarcrpt {

inline constexpr std::uint64_t a_day = 86'400;

// Some reports of the day that begins then, of domains that are neither done nor in passed_over; nothing when
// there are no more. Looked for as qmailt in a cage, and believed only as far as decode_packets lets it pass.
// Domains that DNS kept silent about come last. Throws Error.
std::vector<Packet> next_packets(const control::Home& home, const control::Owners& owners,
                                 const Reporter& reporter, const RunState& state, std::uint64_t begin,
                                 const std::set<std::string>& passed_over);

}  // namespace relais::dmarcrpt
