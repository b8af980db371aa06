// All that is verified of one message, in one pass: SPF, DKIM, ARC, DMARC, and the Authentication-Results
// that say so.
#pragma once

#include <string>
#include <string_view>

#include "authres/arc.h"
#include "authres/dkim.h"
#include "authres/dmarc.h"
#include "authres/dns.h"
#include "authres/message.h"
#include "authres/results.h"
#include "authres/spf.h"

namespace relais::authres {

struct VerifiedMessage {
    bool spf_checked = false;  // there was a client to check
    SpfOutcome spf;
    DkimReport dkim;
    ArcOutcome arc;
    DmarcOutcome dmarc;
};

class Verification {
  public:
    Verification() : reader_(sink_) {}

    // The message in pieces, as it came: any line ends.
    void add(std::string_view data) { reader_.add(data); }
    void end_message();
    // After end_message.
    const MessageHeader& header() const { return reader_.header(); }
    // spf.ip empty: SPF is not checked. known: what SPF has said already, if it was asked. Never throws.
    VerifiedMessage finish(Dns& dns, const SpfQuestion& spf, Deadline deadline,
                           const SpfOutcome* known = nullptr, DmarcExtent extent = DmarcExtent::verdict);

  private:
    class Sink final : public MessageSink {
      public:
        void header(const MessageHeader& header) override;
        void body(std::string_view data) override { hashes.add(data); }
        DkimVerifier dkim;
        ArcVerifier arc;
        BodyHashes hashes;
    };
    Sink sink_;
    MessageReader reader_;
};

// What the field says of it; server is our name. question as SPF was asked.
AuthenticationResults to_results(const VerifiedMessage& verified, const SpfQuestion& question,
                                 std::string_view server);

}  // namespace relais::authres
