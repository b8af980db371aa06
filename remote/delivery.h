// One message to one domain: finds the servers, connects to the first that will talk, hands the message over.
// Keeps the connection for the next message that goes the same way.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "net/connect.h"
#include "net/resolver_protocol.h"
#include "remote/addresses.h"
#include "remote/conversation.h"
#include "remote/domain_policy.h"
#include "remote/encryption.h"
#include "remote/message.h"
#include "remote/report.h"
#include "remote/servers.h"
#include "remote/settings.h"
#include "remote/shared_memory.h"
#include "remote/signing.h"
#include "remote/tcpto.h"

namespace relais::remote {

struct SessionSettings;

struct Envelope {
    std::string host;
    std::string sender;
    std::vector<std::string> recipients;
    std::uint64_t connection_messages = 0;  // on one connection at most; 0: as control/remotemessages says
    bool crowded = false;                   // others need the place
    mail::EnvelopeOptions options{};
    std::vector<mail::RecipientOptions> recipient_options{};  // of each, or none
    std::string signing{};                                    // leave to sign it (keyd/mail_token.h), or none
    const Secret* password = nullptr;                         // of the route, if that has credentials
};

class Delivery {
  public:
    // All borrowed.
    Delivery(const control::Home& home, SettingsFiles& settings, net::Resolver& resolver,
             TimeoutTable& timeouts, SharedMemory& memory)
        : files_(settings),
          resolver_(resolver),
          timeouts_(timeouts),
          memory_(memory),
          encryption_(home, memory),
          policies_(home),
          signer_(home) {}
    ~Delivery() { close(); }
    Delivery(const Delivery&) = delete;
    Delivery& operator=(const Delivery&) = delete;

    // Never throws: whatever goes wrong is a deferral.
    Result deliver(const Envelope& envelope, Message& message);

    bool connected() const { return conversation_ != nullptr; }
    // Of the open connection: readable means that the server has closed it, or is about to.
    int fd() const { return conversation_->fd(); }
    Seconds idle_time() const { return settings_->idle; }
    // To be called when fd() is readable: gives the connection up if the server has.
    void close_if_gone() {
        if (!conversation_->is_there()) close();
    }
    // Says QUIT if a connection is open.
    void close();

  private:
    // Where a message goes, and as whom.
    struct Way {
        std::string domain;
        Route route;
        const Source& source;
        net::LocalBinding from;
    };
    // What one try of a message may still cost before MAIL.
    struct Effort {
        std::size_t addresses = 0;  // to connect to
        std::size_t silences = 0;   // servers that let their time pass
        Seconds greeting{};
        Deadline ends = Deadline::never();
        bool over() const { return addresses == 0 || silences == 0 || ends.passed(); }
    };
    // Of a message (remote/requiretls.h). A bounce of one that has asked for REQUIRETLS must find somebody:
    // it is verified, and goes to a server that promises nothing.
    enum class TlsWish { none, required, verified, not_required };

    Result try_deliver(Envelope envelope, Message& message);
    static bool give_password(Route& route, const Secret* password);
    bool may_reuse(const std::string& key) const;
    Conversation::Attempt hand_over(const Envelope& envelope, Message& message);
    // The message goes over a session that has just been opened, which is then kept for others of the group,
    // or closed.
    Result first_delivery(std::string group, const Envelope& envelope, Message& message);
    std::optional<Result> deliver_on_open(const Envelope& envelope, Message& message);
    Result deliver_on_fresh(const Envelope& envelope, Message& message);
    Result deliver_to_socket(const Envelope& envelope, const Way& way, Message& message);
    TlsWish wish_of(const Envelope& envelope, const Message& message) const;
    std::optional<Verdict> open_socket(const std::string& path);
    bool open_session(ServerSearch& search, const Server& server, const Way& way,
                      std::optional<Verdict>& last);
    // How the server is held to TLS, whoever asks for it. False if nothing may be sent to it.
    bool decide_tls(ServerSearch& search, const Server& server, const Way& way, SessionSettings& terms,
                    std::optional<Verdict>& last);
    // Of a server that knows no TLS. False if the message may not go there.
    bool may_go_in_clear(const Server& server, TlsPolicy& policy, std::optional<Verdict>& last) const;
    bool hold_to_wish(const ServerSearch& search, const Server& server, const Way& way, TlsPolicy& policy,
                      std::optional<Verdict>& last);
    bool ask_domain_policy(const Way& way, std::optional<Verdict>& last);
    bool hold_to_domain_policy(const Server& server, const Way& way, TlsPolicy& policy,
                               std::optional<Verdict>& last);
    bool may_log_in(const std::string& login, const Server& server, const Route& route,
                    SessionSettings& terms, std::optional<Verdict>& last);
    void note_login(const std::string& login, bool opened);
    bool open_session_by(const Server& server, const Way& way, const SessionSettings& terms,
                         std::optional<Verdict>& last);
    bool open_session_at(net::ConnectResult connected, const SessionSettings& terms, const Way& way,
                         std::optional<Verdict>& last);
    // How the server is held to TLS because it has spoken it before; the terms then say so.
    TlsHold hold_to_memory(SessionSettings& terms, std::uint16_t port) const;
    std::vector<net::Endpoint> endpoints(const Server& server, std::uint16_t port);
    std::vector<net::Endpoint> take_some(std::vector<net::Endpoint>& left) const;
    void note(const net::ConnectResult& connected);
    void note_silence(const std::string& ip);
    void keep_or_close();

    // What a server has said counts, but for what would end a message that others may still take.
    static void keep(std::optional<Verdict>& last, Verdict verdict);

    SettingsFiles& files_;
    net::Resolver& resolver_;
    TimeoutTable& timeouts_;
    SharedMemory& memory_;
    Encryption encryption_;
    sts::Policies policies_;
    std::optional<sts::Found> domain_policy_;  // of this message's domain, once it was asked for
    MailSigner signer_;
    LocalAddresses local_addresses_;
    const Settings* settings_ = nullptr;  // files_'; as they were when the last message came
    std::unique_ptr<Conversation> conversation_;
    std::string key_;    // what the open connection is for
    std::string group_;  // its servers' name
    std::uint64_t messages_ = 0;
    std::vector<net::ConnectFailure> failures_;  // of this message
    std::vector<net::Endpoint> resting_;         // of this message: not tried
    bool hopeless_ = false;                      // no further server of this message is to be tried
    Effort effort_;
    bool login_refused_ = false;
    std::optional<sasl::Mechanism> login_second_choice_;  // of the conversation opened last
    TlsWish wish_ = TlsWish::none;                        // of this message
    std::uint64_t most_messages_ = 0;                     // on this connection
    Clock::time_point connected_at_{};
};

}  // namespace relais::remote
