// DKIM (RFC 6376, 8301, 8463): are the signatures of a message right, and making one.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "authres/dkim_signature.h"
#include "authres/dns.h"

namespace relais::authres {

// Further signatures are not looked at: each costs a question and a calculation.
inline constexpr std::size_t dkim_signature_limit = 10;

enum class DkimResult { pass, fail, permerror, temperror };
std::string_view to_text(DkimResult result);

struct DkimVerdict {
    DkimResult result = DkimResult::permerror;
    std::string reason;  // one printable line
    std::string domain;  // d=, s=, i=; as far as they could be read
    std::string selector;
    std::string identity;
    std::string algorithm;
    std::string signature_begin;        // eight characters of b=, which tell signatures apart (RFC 6008)
    bool testing = false;               // the key's owner says that he is only trying
    std::uint64_t unsigned_octets = 0;  // of the body, behind what l= covers
};

struct DkimReport {
    std::vector<DkimVerdict> signatures;  // the topmost first
    std::size_t ignored = 0;              // beyond the limit
};

// What the key's owner says of a signature over this hash, given DNS's answer for its key.
struct KeyVerdict {
    DkimResult result;
    std::string reason;
    bool testing = false;
};
KeyVerdict verify_with_key(const DkimSignature& signature, std::string_view hash,
                           const net::DnsAnswer& answer);
// The part that is common to signatures with a key alone (ARC-Seal).
KeyVerdict verify_with_key(KeyType type, std::string_view signature, std::string_view hash,
                           const net::DnsAnswer& answer, bool identity_below_domain);

// One message's signatures.
class DkimVerifier {
  public:
    // Before the body: which hashes of it are needed. Borrows the header until finish.
    void header(const MessageHeader& header, BodyHashes& hashes);
    // After the body. now: seconds since 1970. Never throws.
    DkimReport finish(Dns& dns, const BodyHashes& hashes, std::int64_t now, Deadline deadline);

  private:
    struct Work {
        DkimVerdict verdict;
        DkimSignature signature;
        std::size_t field = 0;
        std::size_t body = 0;
        bool usable = false;  // the key is to be asked
    };
    Work take(std::size_t field, BodyHashes& hashes) const;
    static void check_before_key(Work& work, const BodyHashes& hashes, std::int64_t now);

    const MessageHeader* header_ = nullptr;
    std::vector<Work> work_;
    std::size_t ignored_ = 0;
};

// What a new signature says and covers.
struct DkimSigning {
    std::string domain;
    std::string selector;
    Canonical header_form = Canonical::relaxed;
    Canonical body_form = Canonical::relaxed;
    // Signed as often as they are in the header.
    std::vector<std::string> fields = default_fields();
    // Signed once more than that, so that none can be added.
    std::vector<std::string> oversigned = {"From", "Subject", "Date", "To"};
    std::string identity{};  // i=, none if empty
    std::optional<std::uint64_t> time{};
    std::optional<std::uint64_t> expiry{};

    // RFC 6376, 5.4.1.
    static std::vector<std::string> default_fields();
};

// Signs a message that passes by: what it sees must be what goes over the wire, but for line ends.
class DkimSigner final : public MessageSink {
  public:
    explicit DkimSigner(DkimSigning signing) : signing_(std::move(signing)) {}
    void header(const MessageHeader& header) override;
    void body(std::string_view data) override { hashes_.add(data); }
    // d= and s= of the field that follows, where they were not known before.
    void set_name(std::string domain, std::string selector);
    // The field DKIM-Signature, lines ended by CR LF, to be put on top; one for each call, behind the whole
    // message. Throws Error: of the key, and a permanent one for a message that cannot be signed (no From, a
    // header beyond the limit).
    std::string finish(SigningKey& key);

  private:
    DkimSigning signing_;
    const MessageHeader* header_ = nullptr;
    BodyHashes hashes_;
    bool hashed_ = false;
    std::size_t body_ = 0;
};

// The names for h=: each of the fields as often as it is in the header, and once more if oversigned.
std::vector<std::string> names_to_sign(const DkimSigning& signing, const std::vector<HeaderField>& fields);

}  // namespace relais::authres
