// qmail-smtpd's side of milter/protocol.h.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "control/home.h"
#include "milter/protocol.h"

namespace relais::milter {

// What the milters say of one SMTP session. Nothing here throws: where qmail-milterd is away, or breaks the
// form, the verdict is to come back later.
class Milters {
  public:
    explicit Milters(control::Home home) : home_(std::move(home)) {}

    // Another transaction begins.
    void begin_transaction() {
        in_transaction_ = false;
        trouble_.clear();
    }
    // Whether a recipient passes. session, mail: what is known of client and sender (macros.cc has names).
    Verdict recipient(const Facts& session, const Facts& mail, const RecipientQuestion& question);
    // The text, as it comes; field: our trace field, as the text will have it.
    void hide(std::string_view field);
    void write(std::string_view text);
    // After all of the text.
    Verdict end();
    // What end() has let pass: envelope, and the text in pieces. False if it broke off: then there is none.
    const Outcome& outcome() const { return outcome_; }
    bool read_text(const std::function<void(std::string_view)>& take);

  private:
    void say(char kind, std::string_view body);
    Verdict hear(Deadline deadline);
    Verdict lost(const std::string& why);

    control::Home home_;
    Fd fd_;
    Facts session_{};
    bool in_transaction_ = false;
    std::string trouble_{};  // lasts for the transaction: qmail-milterd no longer knows its recipients
    Outcome outcome_{};
};

}  // namespace relais::milter
