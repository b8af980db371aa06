// The pages of counters as files: metrics/ROLE/page, written by all processes of the role, read by
// qmail-metrics. They hold numbers of the machine's byte order and nothing else, for programs of one machine.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "control/home.h"
#include "control/owners.h"
#include "metrics/table.h"

namespace relais::metrics {

using Page = std::array<std::uint64_t, page_slots>;
using Pages = std::map<control::Role, Page>;

// The roles that have a page.
std::vector<control::Role> counting_roles();
std::string page_path(const control::Home& home, control::Role role);

// What can be read now: a page that is not there, or is no page, is left out. What a role has written may be
// anything; a number beyond 2^53, which nothing reaches by counting, is read as 0. wrong: what is in the way.
Pages read_pages(const control::Home& home, std::vector<std::string>* wrong = nullptr);

}  // namespace relais::metrics
