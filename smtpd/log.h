// The events that tell the log, and qmail-trace, what was accepted and what was refused. The form of their
// classic lines is documented in qmail-smtpd(8) and does not change:
//
//   accept msg ID from IP helo NAME login - tls - sender <S> rcpt <R>,<R>,+N bytes B[ session NAME]
//   refuse from IP helo NAME sender <S> rcpt <R> reason TEXT
//   suspect from IP helo NAME sender <S> rcpt <R> reason TEXT
//
// TEXT of a refusal is the reply and, where there is more to say, ": " and why. A suspect was let through.
//
// "-" stands for what there was not; unsafe octets are '_'; long texts are cut, and only the first recipients
// are named: "+N" counts the others. Pure. An event views what it is made of.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/event.h"

namespace relais::smtpd {

// Who speaks: what each line has in front.
struct Speaker {
    std::string_view ip;
    std::optional<std::string_view> helo;
    std::optional<std::string_view> login{};  // the account
    std::string_view tls = {};                // version and cipher
};

// "verified msg ID from IP TEXT": what was verified of a message that was accepted. text is safe for a log.
Event verified_event(std::uint64_t id, std::string_view ip, std::string_view text);

// "forwarded msg ID from IP name N addr A port P proto X helo H ident I source S": from whom the message once
// came, as a front end says (XFORWARD). attributes: names in upper case, and values that may be empty.
Event forwarded_event(std::uint64_t id, std::string_view ip,
                      const std::vector<std::pair<std::string, std::string>>& attributes);

// "milters msg ID from IP TEXT": what milters have changed of a message that was accepted.
Event milter_event(std::uint64_t id, std::string_view ip, std::string_view text);

Event accept_event(const Speaker& speaker, std::uint64_t id, std::string_view sender,
                   const std::vector<std::string>& recipients, std::uint64_t bytes,
                   std::string_view session = "");

// cause: a value of smtp.refused (metrics/table.h). why: what there is to say beside the reply, or "".
Event refuse_event(const Speaker& speaker, std::string_view cause, std::optional<std::string_view> sender,
                   std::optional<std::string_view> recipient, std::string_view reply,
                   std::string_view why = "");

// An outsider who uses a sender of ours, where control/localsenders is "warn".
// Or a login with a sender of another, where control/senderlogins is.
Event suspect_event(const Speaker& speaker, std::string_view sender, std::string_view recipient,
                    std::string_view reason);

// Whatever else the log should know.
Event notice_event(std::string_view text);

}  // namespace relais::smtpd
