// Canonical forms of fields and bodies (RFC 6376, 3.4), and hashes of bodies.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "authres/message.h"
#include "tls/openssl.h"

namespace relais::authres {

enum class Canonical { simple, relaxed };
std::string_view to_text(Canonical form);

// The field with its line end.
std::string canonical_field(Canonical form, std::string_view field);

// The body in one form, in pieces as they become certain: empty lines at the end are held back.
class CanonicalBody {
  public:
    explicit CanonicalBody(Canonical form) : form_(form) {}
    using Out = std::function<void(std::string_view)>;
    // Gives out what data adds; data as MessageSink::body has it.
    void add(std::string_view data, const Out& out);
    // The end.
    void finish(const Out& out);

  private:
    void add_simple(std::string_view data, const Out& out);
    void add_relaxed(std::string_view data, const Out& out);
    void release(const Out& out);

    Canonical form_;
    std::uint64_t held_lines_ = 0;
    bool held_blank_ = false;
    bool any_ = false;
};

// Before confinement: what the library reads once.
void prepare_cryptography();

class Sha256 {
  public:
    Sha256();
    void add(std::string_view data);
    // 32 octets.
    std::string finish();

  private:
    tls::DigestPtr context_;
};
std::string sha256(std::string_view data);

// The hashes of one body that its signatures ask for, each way computed once.
class BodyHashes {
  public:
    struct Way {
        Canonical form;
        std::optional<std::uint64_t> length;  // of the canonical body, l=; nothing: all
        bool operator==(const Way&) const = default;
    };
    // To be called before the body comes; the number is for result().
    std::size_t want(Way way);
    void add(std::string_view data);
    void finish();

    struct Result {
        std::string hash;
        std::uint64_t size;  // of the canonical body
    };
    const Result& result(std::size_t number) const { return work_[number].result; }

  private:
    struct Work {
        Way way;
        Sha256 hash;
        std::uint64_t size = 0;
        Result result{};
    };
    struct Body {
        Canonical form;
        CanonicalBody body;
    };
    void hash(Canonical form, std::string_view data);

    std::deque<Work> work_;
    std::vector<Body> bodies_;
};

}  // namespace relais::authres
