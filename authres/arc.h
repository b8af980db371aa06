// ARC (RFC 8617): what those who forwarded a message say of it, and one more such set.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "authres/canonical.h"
#include "authres/dkim.h"
#include "authres/dns.h"
#include "authres/message.h"

namespace relais::authres {

// RFC 8617, 4.2.1.
inline constexpr unsigned arc_set_limit = 50;

enum class ArcResult { none, pass, fail, temperror };
std::string_view to_text(ArcResult result);

struct ArcOutcome {
    ArcResult result = ArcResult::none;
    std::string reason;  // one printable line
    unsigned sets = 0;
    std::vector<std::string> sealers;  // d= of the seals, the oldest first
    bool ended = false;                // the newest seal says that the chain is broken: nobody adds to it
};

// The three fields of one instance, by their places in the header.
struct ArcSet {
    std::optional<std::size_t> results;
    std::optional<std::size_t> signature;
    std::optional<std::size_t> seal;
};
// ARC-Seal (RFC 8617, 4.1.3).
struct ArcSeal {
    KeyType type = KeyType::rsa;
    std::string domain;
    std::string selector;
    std::string validation;  // cv=
    std::string signature;   // decoded
};
// By instance. Nothing for fields that are not whole sets from 1 on; why says what is wrong. Pure.
std::optional<std::vector<ArcSet>> arc_sets(const std::vector<HeaderField>& fields, std::string& why);
// i= of an ARC field, 1 to 50. Pure.
std::optional<unsigned> arc_instance(const HeaderField& field);
std::optional<ArcSeal> parse_arc_seal(std::string_view body);
// What a seal signs: the sets up to the one of seal_text, which is its field.
std::string arc_seal_hash(const std::vector<HeaderField>& fields, const std::vector<ArcSet>& sets,
                          std::string_view seal_text);

class ArcVerifier {
  public:
    // As DkimVerifier's.
    void header(const MessageHeader& header, BodyHashes& hashes);
    ArcOutcome finish(Dns& dns, const BodyHashes& hashes, Deadline deadline);

  private:
    ArcOutcome& fail(std::string why);
    void take_seals();
    std::string check_newest(const BodyHashes& hashes) const;

    const MessageHeader* header_ = nullptr;
    std::vector<ArcSet> sets_;
    std::vector<ArcSeal> seals_;
    DkimSignature newest_;
    std::size_t body_ = 0;
    bool usable_ = false;
    ArcOutcome outcome_;
};

// Adds a set to a message that passes by.
class ArcSealer final : public MessageSink {
  public:
    struct Settings {
        std::string domain;
        std::string selector;
        std::string server;  // authserv-id
        std::vector<std::string> fields = DkimSigning::default_fields();
        std::optional<std::uint64_t> time{};
    };
    explicit ArcSealer(Settings settings) : settings_(std::move(settings)) {}
    void header(const MessageHeader& header) override;
    void body(std::string_view data) override { hashes_.add(data); }
    // results: what Authentication-Results would say behind our name; verified: of the same message. The
    // three fields, to be put on top; empty if nothing may be added (a broken chain that was closed, 50
    // sets). Throws Error of the key.
    std::string finish(SigningKey& key, std::string_view results, const ArcOutcome& verified);

  private:
    std::string signature_field(SigningKey& key, unsigned instance);
    std::string seal_field(SigningKey& key, unsigned instance, const ArcOutcome& verified,
                           const std::string& results_field, const std::string& signature_field) const;

    Settings settings_;
    const MessageHeader* header_ = nullptr;
    BodyHashes hashes_;
    std::size_t body_ = 0;
};

}  // namespace relais::authres
