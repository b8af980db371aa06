// A message in qmail-send's window. Only for sender*.cc.
#pragma once

#include <deque>

#include "send/plan.h"
#include "send/sender.h"

namespace relais::send {

enum class RecipientState : std::uint8_t {
    open,       // T, and nothing planned in this round: its destination backs off
    planned,    // T, in Active::plan: its turn to be queued comes
    queued,     // T, in a job
    running,    // T, under way
    elsewhere,  // T, under way at a retired spawner
    deferred,   // T, tried in this round
    failing,    // its failure is being recorded
    failed,     // F
    done,       // D, or about to be
};

// What a loaded message waits for. Sender::settle decides what comes next.
//
//     working   --some have failed, others are open-----> recording --> working
//               --the same, and the sender may be told--> telling --accepted--> marking --> working
//               --all that are left have failed---------> bouncing --accepted--> ending
//               --nobody is left------------------------> ending --> the file is gone
//               --DSN asks to be told of deliveries-----> reporting --> working
//     telling, bouncing --refused--> working: the bounce comes later
//     working, recording, marking --the disk refused--> stalled --a minute--> working
//     ending    --the disk refused, a minute--> ending
enum class Stage : std::uint8_t {
    working,    // its deliveries, or its next try
    recording,  // its failures are being written down, with the marks F
    telling,    // a bounce that tells of what has failed so far is being submitted
    marking,    // those whose record it has told of are being marked D
    reporting,  // deliveries are being told
    bouncing,   // its last bounce is being submitted
    ending,     // nobody is owed anything any more: the file is to be removed
    stalled,    // the disk refused a mark or a record: another try comes
};

struct Sender::Active {
    queue::StoredMessage stored;
    std::vector<RecipientState> states;
    std::vector<Channel> channels;  // of the recipients
    std::uint32_t load = 0;
    std::size_t octets = 0;
    bool is_huge = false;  // its octets count by themselves, not in the window
    bool is_new = false;
    bool dying = false;  // older than queuelifetime: this try is the last one
    Stage stage = Stage::working;
    std::uint32_t planned = 0;
    std::uint32_t queued = 0;
    std::uint32_t running = 0;
    std::uint32_t elsewhere = 0;
    std::uint32_t failing = 0;
    std::uint32_t failed = 0;
    std::uint32_t remaining = 0;  // neither failed nor done
    std::uint32_t deferred = 0;
    Plan plan;
    bool in_turns = false;  // it is in Sender::in_turns_
    // What is planned is tried at destinations that have backed off before this second; 0: it is not.
    std::uint32_t forced_at = 0;
    std::optional<bool> warning_wanted;  // by a recipient; asked once
    std::string last_error;
    std::string waits_for;  // the destination in back-off, when recipients stay open
    Channel waits_on = Channel::local;
    std::vector<std::uint32_t> unmarked;  // done, but not yet on the disk
    struct Failure {
        std::uint32_t recipient;
        std::string paragraph;
    };
    std::deque<Failure>
        failures;  // of those in state failing, kept until they are on the disk or in a bounce
    std::size_t failure_octets = 0;  // of their paragraphs
    bool bounce_refused = false;     // this time: the failures are recorded, and the bounce comes later
    bool bounce_requested = false;   // in stage telling: one more try at once
    std::vector<Failure> recorded;   // what is being written down in stage recording
    // While others of the message are still open, a bounce tells of what has failed so far
    // (sender_bounce.cc).
    std::uint32_t tell_at =
        0;  // failures that gather while others are under way are told then; 0: there are none
    std::deque<Failure> telling;  // of what such a bounce tells, that which is not recorded
    std::vector<std::uint32_t>
        telling_recorded;                    // and that which is: being marked as told when it has been taken
    std::optional<std::uint32_t> resume_at;  // loaded for a late report: when the rest goes on
    // Paragraphs with facts: of those deferred in this round who are owed a warning; of those delivered of
    // whom DSN asks to be told.
    std::vector<Failure> delayed;
    std::vector<Failure> delivered;
    Fd file;  // it was loaded from: for its first delivery, if not too many are open
    // Whether queue/bounce may have a text of it: not as long as nothing of a message that came while we run
    // has failed.
    bool had_failures = true;

    queue::MessageId id() const { return stored.id; }
    std::int64_t birth() const { return static_cast<std::int64_t>(stored.id / 1'000'000); }
    int priority() const { return stored.envelope.options.priority; }
    void set(std::uint32_t recipient, RecipientState to);
};

// A record takes further recipients until its text has so many octets: a message may have a hundred thousand
// of them. With the last text, and 8 octets for each recipient, that is well below slow_request_limit.
inline constexpr std::size_t record_text_limit = std::size_t{1} << 20;

// A report of deliveries tells of so many, where more are under way.
inline constexpr std::size_t deliveries_told = 2000;

// Before another try when the disk refused something, in seconds.
inline constexpr std::uint32_t disk_pause = 60;

// Between two tries to submit a bounce, in seconds.
inline constexpr std::uint32_t bounce_pause = 120;

inline constexpr std::string_view time_expired = "5.4.7";  // RFC 3463

// What a report means for its destination.
Verdict verdict_of(const Report& report);

// An alert without its time, as the log has it.
std::string alert_text(const std::exception& error);

}  // namespace relais::send
