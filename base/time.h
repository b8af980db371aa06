// Wall-clock time as mail writes it. For waiting use deadline.h.
#pragma once

#include <cstdint>
#include <string>

namespace relais {

// Microseconds, or seconds, since 1970 on the wall clock.
std::uint64_t now_microseconds();
std::int64_t now_seconds();

// "26 Sep 1995 04:46:54", in GMT: qmail's form, without a zone.
std::string date_gmt(std::int64_t unix_seconds);
// "26 Sep 1995 04:46:54 -0000": the form of trace fields and Date (RFC 5322, 3.3).
std::string date_822(std::int64_t unix_seconds);

}  // namespace relais
