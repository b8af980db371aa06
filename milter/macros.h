// The macros that milters know a client and a message by, under the names that sendmail gave them. Pure.
#pragma once

#include "milter/protocol.h"
#include "milter/wire.h"

namespace relais::milter {

// Of CONNECT, HELO and MAIL, from what qmail-smtpd says of the session and of the mail.
Macros connect_macros(const Facts& session);
Macros helo_macros(const Facts& session);
Macros mail_macros(const Facts& mail);

}  // namespace relais::milter
