// Whose mail may pass: the sender and recipient rules of control/ and of the client's address. Gathers what
// policy/decision.h decides on; everything that explains such a decision asks here.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/cdb.h"
#include "control/control_file.h"
#include "control/home.h"
#include "control/watched.h"
#include "counts/protocol.h"
#include "local/recipient_protocol.h"
#include "opensmtp/gate.h"
#include "policy/bad_names.h"
#include "policy/client.h"
#include "policy/decision.h"
#include "policy/list_health.h"
#include "policy/recipient_check.h"
#include "policy/sender_logins.h"
#include "tls/connection.h"

namespace relais::policy {

// control/localsenders: what happens to outsiders who use one of our own domains as their sender.
enum class LocalSenders { off, warn, enforce };

class Policy {
  public:
    explicit Policy(control::Home home);
    Policy(const Policy&) = delete;
    Policy& operator=(const Policy&) = delete;

    // What is read besides control/ and open-smtp/: the directory of the file that control/opensmtpfile
    // names. Throws Error.
    static std::vector<std::string> readable_places(const control::Home& home);

    // Reads what is not yet read and what has changed since. The listener calls it for each connection, so
    // that its children parse nothing; without it each file is read when it is first asked for. Throws Error.
    void refresh();
    // Another one whenever refresh() has read something.
    std::uint64_t version() const;
    // Before a client in a process that has had others: what was opened for those is opened anew.
    void begin_client();

    BadNames& bad_names() { return bad_names_; }
    ListHealth& list_health() { return list_health_; }
    // Borrowed from qmail-countd.
    counts::Counts& counts() { return counts_; }
    // True for a domain of control/locals or virtualdomains, and for none. Throws Error.
    bool is_delivered_here(std::string_view recipient);
    // <postmaster> without a domain, or postmaster at a domain of ours: never refused because of the sender.
    bool is_our_postmaster(std::string_view recipient);
    // The same, or abuse: whoever has a complaint is heard.
    bool hears_everybody(std::string_view recipient);
    // The recipient with the literal of this host's address ([192.0.2.1]) replaced by control/localiphost.
    std::string with_local_name(std::string_view recipient, const Client& client);
    // May this client send to this recipient? The open-smtp store is asked only if it matters, and at each
    // call anew: a login during the connection counts. Throws Error when a file cannot be read.
    Decision decide(const Client& client, std::string_view recipient);
    // What control/localsenders says about this client and sender: off, unless the sender's domain is one of
    // control/locals and virtualdomains and the client has no right to relay. Throws Error.
    LocalSenders suspects(const Client& client, std::string_view sender);
    // What control/senderlogins says about a login with this sender: off if it may use it. Throws Error.
    SenderLogins::Mode rejects_login(std::string_view user, std::string_view sender);
    // What a login may use in From (policy/sender_logins.h). Throws Error.
    std::vector<std::string> senders_of(std::string_view user);
    // True if control/tlsclients lists the subject of a client's certificate, or an address of mail in it.
    // Throws Error.
    bool lists_certificate(const tls::Description& certificate);
    // What control/recipientcheck says of this recipient's domain. Throws Error.
    RecipientCheck::Mode recipient_check(std::string_view recipient);
    // Whether anybody here would get mail for it: control/validrcptto.cdb where there is one, else
    // qmail-rcptd, who has that long to answer. Throws Error.
    local::RecipientAnswer find_recipient(std::string_view recipient, Deadline deadline);
    // What is known of a recipient's domain. Throws Error.
    DomainMatch match_domain(std::string_view recipient);
    // What the open-smtp store says about a client now. Throws Error.
    opensmtp::OpenSmtpFinding find_open_smtp(const Client& client);
    // The account that has opened the door for a client which has no right of its own to relay; "" if none
    // has, or nobody knows which. Throws Error.
    std::string login_of_open_smtp(const Client& client);

  private:
    std::optional<std::string> match_more(std::string_view domain);
    static void open_database(std::optional<CdbReader>& database, bool& opened, const std::string& path);

    control::Home home_;
    control::Watched<control::DomainSet> rcpthosts_;
    BadNames bad_names_;
    ListHealth list_health_;
    counts::Counts counts_;
    control::Watched<std::string> localiphost_;
    control::Watched<std::string> defaultdomain_;
    control::Watched<LocalSenders> localsenders_;
    control::Watched<SenderLogins> senderlogins_;
    control::Watched<control::DomainSet> locals_;
    control::Watched<control::DomainSet> virtualdomains_;
    opensmtp::OpenSmtpGate gate_;
    std::optional<CdbReader> more_;
    bool more_opened_ = false;
    control::Watched<RecipientCheck> recipientcheck_;
    std::optional<CdbReader> valid_;
    bool valid_opened_ = false;
    local::RecipientQuestions recipients_;
};

}  // namespace relais::policy
