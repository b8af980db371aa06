// The fields DKIM-Signature (RFC 6376, 3.5) and ARC-Message-Signature (RFC 8617, 4.1.2), read and written.
// Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "authres/canonical.h"
#include "authres/dkim_key.h"
#include "authres/message.h"

namespace relais::authres {

struct DkimSignature {
    KeyType type = KeyType::rsa;
    Canonical header_form = Canonical::simple;
    Canonical body_form = Canonical::simple;
    std::string domain;               // d=
    std::string selector;             // s=
    std::string identity;             // i=, or what it is without
    std::vector<std::string> fields;  // h=
    std::string body_hash;            // decoded
    std::string signature;            // decoded
    std::string signature_text;       // without blanks
    std::optional<std::uint64_t> body_length;
    std::optional<std::uint64_t> time;
    std::optional<std::uint64_t> expiry;

    // Where the key is, as DNS has it (RFC 8616, 4).
    std::string key_name() const;
};

struct BadSignature {
    std::string reason;
    std::string domain{};  // as far as it could be read
    std::string selector{};
    std::string signature_text{};
};
enum class SignatureKind { dkim, arc };
// body: what follows the field's colon. For ARC the tags v= and i= are the caller's business.
std::variant<DkimSignature, BadSignature> parse_signature(std::string_view body, SignatureKind kind);

// The hash that is signed (RFC 6376, 3.7): of the fields in h=, found from the bottom up, and of the
// signature's own field without its signature. fields[own] is that field, if it is in the header, and is then
// not found for h=.
std::string signed_hash(const DkimSignature& signature, const std::vector<HeaderField>& fields,
                        std::string_view own_text, std::optional<std::size_t> own);

// "name: a; b; c" folded before column 78 where a blank follows ';' or ':' may.
class FieldWriter {
  public:
    explicit FieldWriter(std::string_view name) : text_(std::string(name) + ":"), column_(text_.size()) {}
    // A word that goes to the next line if it has no room here; a blank goes before it.
    void add(std::string_view word);
    // One that follows the last without a blank, unless it goes to the next line.
    void append(std::string_view word);
    // A long word that may be folded anywhere.
    void append_folded(std::string_view text);
    const std::string& text() const { return text_; }

  private:
    void fold();
    std::string text_;
    std::size_t column_;
};

}  // namespace relais::authres
