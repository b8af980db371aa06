// What is verified of a message from outside, and what follows from it: SPF, DKIM, ARC and DMARC (authres/),
// by control/mailauth, spfbehavior, dmarc and dmarcexempt. One object for each transaction. Clients that may
// relay are not judged.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "authres/dns.h"
#include "authres/verification.h"
#include "base/deadline.h"
#include "control/control_file.h"
#include "dmarcrpt/observation.h"
#include "mail/observer.h"
#include "opensmtp/address.h"

namespace relais::policy {

enum class DmarcMode { off, log, refuse };

// Read from control/.
struct CheckSettings {
    bool results = false;           // mailauth: verify, and write Authentication-Results
    std::uint64_t spfbehavior = 0;  // 0 to 6, as the widely used patch has it
    DmarcMode dmarc = DmarcMode::off;
    opensmtp::NetworkSet exempt_networks;  // dmarcexempt: clients, and domains of From
    control::DomainSet exempt_domains;
    // dmarcreports, with keeptrace: what is found is told for reports to domains, which come from there.
    std::string reports_from{};

    // Throws Error.
    static CheckSettings read(const control::Home& home);
    // True if something is to be looked at.
    bool wanted() const {
        return results || spfbehavior > 0 || dmarc != DmarcMode::off || !reports_from.empty();
    }
};

struct CheckRefusal {
    std::string reply;
    std::string why;  // for the log
};

class IncomingChecks : public mail::MessageObserver {
  public:
    // Borrows settings and dns. server: our name.
    IncomingChecks(const CheckSettings& settings, authres::Dns& dns, std::string_view server,
                   authres::SpfQuestion question);

    // What SPF says against the sender, if it is to be refused for that. Asks DNS the first time.
    std::optional<CheckRefusal> refuse_sender();
    // Whether SPF passes. Asks DNS the first time.
    bool spf_passes() { return spf().result == authres::SpfResult::pass; }
    // The message in pieces, as it came.
    void add(std::string_view text) override { verification_.add(text); }
    // After its end: verifies. The refusal, if it is to be refused.
    std::optional<CheckRefusal> finish();

    // The fields for the top, LF line ends: after finish all of it, before what is known by then.
    std::string fields();
    // "spf=pass dkim=pass dmarc=fail": after finish.
    std::string summary() const;
    // After finish: what goes into a report, if the domain of From wants any. refused: by dmarc. Nothing of
    // what comes to the address that our reports are from alone: it answers them.
    std::optional<dmarcrpt::Observation> observation(std::span<const std::string> recipients,
                                                     bool refused) const;

  private:
    const authres::SpfOutcome& spf();
    bool is_exempt() const;
    std::string received_spf();

    const CheckSettings& settings_;
    authres::Dns& dns_;
    std::string server_;
    authres::SpfQuestion question_;
    authres::Verification verification_;
    std::optional<authres::SpfOutcome> spf_;
    std::optional<authres::VerifiedMessage> verified_;
};

}  // namespace relais::policy
