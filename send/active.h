// A message in qmail-send's window. Only for sender*.cc.
#pragma once

#include "send/sender.h"

namespace relais::send {

enum class RecipientState : std::uint8_t {
    open,      // T, and nothing planned in this round: its destination backs off
    queued,    // T, in a job
    running,   // T, under way
    deferred,  // T, tried in this round
    failing,   // its failure is being recorded
    failed,    // F
    done,      // D, or about to be
};

struct Sender::Active {
    queue::StoredMessage stored;
    std::vector<RecipientState> states;
    std::vector<bool> local;
    std::uint32_t load = 0;
    std::size_t octets = 0;
    bool is_new = false;
    bool dying = false;     // older than queuelifetime: this try is the last one
    bool ending = false;    // the bounce has been submitted, or none is owed: only the unlink is missing
    bool bouncing = false;  // the bounce is being submitted
    std::uint32_t queued = 0;
    std::uint32_t running = 0;
    std::uint32_t failing = 0;
    std::uint32_t failed = 0;
    std::uint32_t remaining = 0;  // neither failed nor done
    std::uint32_t deferred = 0;
    std::string last_error;
    std::string waits_for;  // the destination in back-off, when recipients stay open
    bool waits_for_local = false;
    std::vector<std::uint32_t> unmarked;  // done, but not yet on the disk
    std::string failing_text;             // of those in state failing, kept until it is on the disk
    std::vector<std::uint32_t> failing_recipients;
    bool recording = false;  // with the recipients and the text that follow
    std::vector<std::uint32_t> recorded;
    std::string recorded_text;
    bool stalled = false;  // the disk refused something: another try comes

    queue::MessageId id() const { return stored.id; }
    std::int64_t birth() const { return static_cast<std::int64_t>(stored.id / 1'000'000); }
    void set(std::uint32_t recipient, RecipientState to);
};

// An alert without its time, as the log has it.
std::string alert_text(const std::exception& error);

}  // namespace relais::send
