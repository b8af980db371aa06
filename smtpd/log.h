// The lines that tell the log what was accepted and what was refused. Their form is documented in
// qmail-smtpd(8) and does not change:
//
//   accept msg ID from IP helo NAME login - tls - sender <S> rcpt <R>,<R>,+N bytes B[ session NAME]
//   refuse from IP helo NAME sender <S> rcpt <R> reason TEXT
//   suspect from IP helo NAME sender <S> rcpt <R> reason TEXT
//
// TEXT of a refusal is the reply and, where there is more to say, ": " and why. A suspect was let through.
//
// "-" stands for what there was not; unsafe octets are '_'; long texts are cut, and only the first recipients
// are named: "+N" counts the others. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace relais::smtpd {

// Who speaks: what each line has in front.
struct Speaker {
    std::string_view ip;
    std::optional<std::string_view> helo;
    std::optional<std::string_view> login{};  // the account
    std::string_view tls = {};                // version and cipher
};

// "verified msg ID from IP TEXT": what was verified of a message that was accepted. text is safe for a log.
std::string verified_line(std::uint64_t id, std::string_view ip, std::string_view text);

std::string accept_line(const Speaker& speaker, std::uint64_t id, std::string_view sender,
                        const std::vector<std::string>& recipients, std::uint64_t bytes,
                        std::string_view session = "");

std::string refuse_line(const Speaker& speaker, std::optional<std::string_view> sender,
                        std::optional<std::string_view> recipient, std::string_view reason);

// An outsider who uses a sender of ours, where control/localsenders is "warn".
// Or a login with a sender of another, where control/senderlogins is.
std::string suspect_line(const Speaker& speaker, std::string_view sender, std::string_view recipient,
                         std::string_view reason);

}  // namespace relais::smtpd
