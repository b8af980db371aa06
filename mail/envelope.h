// A message's envelope, the same from the session that takes it to the report of its delivery: sender and
// recipients, what RFC 3461 (DSN), RFC 6152 and 3030 (BODY), RFC 6531 (SMTPUTF8) and RFC 8689 (REQUIRETLS)
// say beside them, and how the message came. Pure.
//
// What is not sender and recipients is written as an extension: fields, and an empty one at the end.
//
//   extension = (name SP value NUL)* NUL
//   submitter   kind SP name                how it came: a word of Submitter::Kind, and who
//   may-use     address | @domain | *       a From that the submitter may use; once for each
//   body        binary                      8BITMIME needs no word: the message itself tells
//   smtputf8    yes
//   requiretls  yes                         to go to no server without verified TLS (RFC 8689)
//   session     letters, digits, "." and "-"   names what qmail-smtpd gave to a filter in QMAILQUEUE
//   hold        yes                     kept, and not tried until it is released
//   release     number                      the unix second before which it is not tried (RFC 4865)
//   deliver-by  number SP (R|N)[T]          the unix second by which it is to be delivered (RFC 2852)
//   priority    number                      -9 to 9 (RFC 6710); 0 is not said
//   ret         full | hdrs
//   envid       xtext, as MAIL had it
//   recipients  number                      of the envelope that the two below belong to
//   notify      index SP never | (success|failure|delay)(,...)*
//   orcpt       index SP type;xtext, as RCPT had it
//
// A field with another name is passed over: what must not be passed over takes another version of the formats
// that carry it. An index counts recipients from 0.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mail/transfer.h"

namespace relais::mail {

// RFC 3461, 4.4 and 4.2: octets of ENVID and ORCPT.
inline constexpr std::size_t envid_limit = 100;
inline constexpr std::size_t orcpt_limit = 500;

enum class BodyType : std::uint8_t { text, binary };
enum class Ret : std::uint8_t { unsaid, full, headers };

// NOTIFY. All false: nothing was said.
struct Notify {
    bool never = false;
    bool success = false;
    bool failure = false;
    bool delay = false;

    bool said() const { return never || success || failure || delay; }
    // Whether the sender is told of a failure: unless he said otherwise.
    bool wants_failure() const { return failure || !said(); }
    bool operator==(const Notify&) const = default;
};
// "NEVER", or "SUCCESS", "FAILURE", "DELAY" with commas between them, in any case. Nothing for anything else.
std::optional<Notify> parse_notify(std::string_view text);
// In RCPT's form; "" if nothing was said.
std::string notify_text(const Notify& notify);

// Whether a value of ORCPT ("rfc822;bob+2Bx@example.org") or ENVID has the form that RFC 3461 gives it.
bool is_orcpt(std::string_view text);
bool is_envid(std::string_view text);

struct RecipientOptions {
    Notify notify{};
    std::string orcpt{};  // as RCPT had it, "" if it had none

    bool said() const { return notify.said() || !orcpt.empty(); }
    bool operator==(const RecipientOptions&) const = default;
};

// How a message came, and in whose names it may be signed. qmail-queued sees to it that only qmail-smtpd says
// login, certificate, rule, open_smtp or stranger.
struct Submitter {
    enum class Kind : std::uint8_t {
        unsaid,       // in a submission: what the socket says (local, bounce, stranger)
        stranger,     // by SMTP, without a right to relay
        login,        // by SMTP AUTH; name: the account, user@domain
        certificate,  // by a client certificate of control/tlsclients; name: its subject
        rule,         // by RELAYCLIENT; name: the client's address
        open_smtp,    // by a login by POP from the client's address; name: the account
        local,        // a program of this host; name: its uid
        forward,      // passed on by a delivery; name: the uid
        bounce,       // our own
    };
    Kind kind = Kind::unsaid;
    std::string name{};
    // What may stand in From: "anna@example.org", "@example.org", "*"; lower case.
    std::vector<std::string> may_use{};

    // Whether may_use has that address. Case does not count. False for what is no address.
    bool may_use_from(std::string_view address) const;
    // The domains of which may_use names an address, or all addresses; without "*".
    std::vector<std::string> domains() const;
    bool operator==(const Submitter&) const = default;
};
std::string_view kind_name(Submitter::Kind kind);

// Whether a text may name a session.
inline constexpr std::size_t session_limit = 64;
bool is_session(std::string_view text);

struct EnvelopeOptions {
    BodyType body = BodyType::text;
    bool smtputf8 = false;
    bool requiretls = false;
    Ret ret = Ret::unsaid;
    std::string envid{};  // xtext, "" if there is none
    Submitter submitter{};
    std::string session{};     // "" where no filter stands between qmail-smtpd and the queue
    bool hold = false;         // not tried until an administrator releases it
    std::int64_t release = 0;  // unix seconds: not tried before; 0: at once
    std::optional<DeliverBy> deliver_by{};
    int priority = 0;

    bool operator==(const EnvelopeOptions&) const = default;
};

struct Recipient {
    std::string address;
    RecipientOptions options{};
};

struct Envelope {
    std::string sender;
    std::vector<Recipient> recipients{};
    EnvelopeOptions options{};
};

inline constexpr std::size_t extension_limit = std::size_t{16} << 20;
inline constexpr std::size_t may_use_limit = 100;

// "" if nothing has been said that a version 1 of the formats does not know. Values that could not be read
// back are left out.
std::string encode_extension(const EnvelopeOptions& options, const std::vector<RecipientOptions>& recipients);
std::string encode_extension(const Envelope& envelope);

struct Extension {
    EnvelopeOptions options{};
    std::vector<RecipientOptions> recipients{};  // as many as the envelope has
};
// Nothing if it is no extension. What was said of the recipients of another number of them is forgotten.
std::optional<Extension> decode_extension(std::string_view data, std::size_t recipients);

// An extension for one message in an environment variable, where NUL cannot stand: only for an envelope with
// that sender.
std::string extension_variable(std::string_view sender, std::string_view extension);
struct ExtensionFor {
    std::string sender;
    std::string extension;
};
// Nothing if it is no such variable; the extension may still be none.
std::optional<ExtensionFor> extension_from_variable(std::string_view variable);
// The session that such a variable names; "" if none.
std::string session_in_variable(std::string_view variable);

}  // namespace relais::mail
