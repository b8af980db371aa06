// Questions to qmail-rcptd: would mail for this address find a mailbox here? Asked by qmail-smtpd at RCPT,
// and by relay-explain. A client connects to the stream socket "recipients", asks any number of questions one
// after the other, and reads an answer to each.
//
//   question = length (2 octets, little-endian) address
//   answer   = 1 octet: RecipientAnswer
//
// The address is that of the envelope, as the queue would have it. Neither side trusts the other: whoever
// breaks the form loses the connection.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/deadline.h"
#include "base/fd.h"
#include "control/home.h"
#include "mail/address.h"

namespace relais::local {

enum class RecipientAnswer : char {
    known = 'K',      // a delivery would find its user and instructions
    unknown = 'U',    // a delivery would say "no mailbox here by that name"
    elsewhere = 'E',  // no address of locals or virtualdomains: qmail-remote's
    not_now = 'N',    // cannot be told now
    bounces = 'B',    // a rewritten sender of ours (local/srs.h): mail from the null sender alone
};

inline constexpr std::size_t recipient_head_size = 2;

// An address longer than mail::address_limit is cut, which no mailbox can match.
std::string encode_recipient_question(std::string_view address);
// Takes the first whole question off the front of input; nothing if there is none yet. broken: there never
// will be.
std::optional<std::string> take_recipient_question(std::string& input, bool& broken);
std::optional<RecipientAnswer> decode_recipient_answer(char octet);

// The client. Connects on first use, and again when the server was restarted.
class RecipientQuestions {
  public:
    explicit RecipientQuestions(control::Home home) : home_(std::move(home)) {}
    // not_now for any failure, and when the deadline passes. Never throws.
    RecipientAnswer ask(std::string_view address, Deadline deadline);

  private:
    std::optional<RecipientAnswer> try_ask(std::string_view question, Deadline deadline);

    control::Home home_;
    Fd fd_;
};

}  // namespace relais::local
