// Control files of local delivery.
#pragma once

#include <optional>

#include "base/deadline.h"
#include "control/home.h"
#include "local/srs.h"

namespace relais::local {

// control/timeoutlocal: after how many seconds a delivery to a program is given up for now. Nothing if the
// file is missing or 0: as long as it takes. Throws Error.
std::optional<Seconds> program_limit(const control::Home& instance);

// control/deadlinelocal: after how many seconds qmail-lspawn ends a delivery, whatever it does: a user can
// stop his qmail-local, and it would keep its place for good. A day if the file is missing; nothing if it is
// 0. Throws Error.
std::optional<Seconds> delivery_limit(const control::Home& instance);

// control/srs_domain and srs_secrets: how senders of forwarded mail are rewritten. Only root and qmailp may
// read the secrets. Throws Error.
Srs read_srs(const control::Home& instance);
// What of it everybody may know: nothing is genuine for it. Throws Error.
Srs read_srs_domain(const control::Home& instance);

}  // namespace relais::local
