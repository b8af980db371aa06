// What the mind of qmail-send is given, and what it asks of the process around it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/event.h"
#include "base/fd.h"
#include "control/destination_limits.h"
#include "control/setting.h"
#include "mail/bounce_hints.h"
#include "queue/store.h"
#include "send/delivery_protocol.h"
#include "send/delivery_report.h"
#include "send/rewrite.h"

namespace relais::send {

struct Settings {
    RewriteRules rules;
    unsigned concurrency_local = control::default_of<"concurrencylocal">();
    unsigned concurrency_remote = control::default_of<"concurrencyremote">();
    std::int64_t queue_lifetime = control::default_of<"queuelifetime">().count();
    std::shared_ptr<const mail::HintTable> hints{};  // shown in bounces; usually none are
    bool facts = false;                              // control/bounceformat asks for more than prose
    std::int64_t delay_warning = 0;                  // control/delaywarning, seconds; 0: nobody is warned
    std::int64_t hold_lifetime = 0;                  // control/holddays, seconds; 0: held mail never ends
    control::DestinationLimits limits{};
};

// Recipients that have failed for good. To do, in this order: text appended to the bounce text and synced,
// the marks F.
struct FailureRecord {
    queue::MessageId message = 0;
    std::string text;
    std::vector<queue::Recipient> recipients;
    // They were recorded before, and a bounce has told of them. To do instead: the marks D, synced, then the
    // text is removed.
    bool told = false;
};

struct BounceResult {
    enum class Kind { accepted, discarded, trouble } kind = Kind::trouble;
    std::uint64_t qp = 0;  // accepted
    std::string text;      // trouble
};

class Outlets {
  public:
    virtual ~Outlets() = default;
    // False: the channel is full now; Sender::channel_writable tells when it can be tried again.
    // The descriptor is the order's own.
    virtual bool order(const LocalOrder& order, Fd message) = 0;
    virtual bool order(const RemoteOrder& order, Fd message) = 0;
    // Work that waits for the disk or for qmail-queued. Each call is answered once, later: by
    // failure_recorded, bounce_done, reported.
    virtual void record(FailureRecord record) = 0;
    // unrecorded: what the bounce says of recipients whose failure was not recorded; at most
    // record_text_limit and one paragraph.
    virtual void bounce(queue::MessageId id, std::string unrecorded) = 0;
    // A report that is no failure; text: a bounce text (send/recipient_facts.h). Answered by reported.
    virtual void report(queue::MessageId id, ReportKind kind, std::string text) = 0;
    // Has the spawner end a delivery; from: which retired one, 0 for one that takes orders. Its report tells.
    virtual void cut(Channel channel, unsigned from, std::uint64_t delivery) = 0;
    virtual void log(std::string_view line) = 0;
    // What happened, once: its classic line, if it has one, is logged.
    virtual void tell(const Event& event) {
        if (!event.classic().empty()) log(event.classic());
    }
};

}  // namespace relais::send
