#include "sasl/mechanism.h"

#include "base/text.h"

namespace relais::sasl {
namespace {

constexpr struct {
    Mechanism mechanism;
    std::string_view name;
} known[] = {
    {Mechanism::plain, "PLAIN"},
    {Mechanism::login, "LOGIN"},
    {Mechanism::cram_md5, "CRAM-MD5"},
    {Mechanism::scram_sha_256, "SCRAM-SHA-256"},
    {Mechanism::scram_sha_256_plus, "SCRAM-SHA-256-PLUS"},
    {Mechanism::xoauth2, "XOAUTH2"},
    {Mechanism::oauthbearer, "OAUTHBEARER"},
};

}  // namespace

std::string_view name_of(Mechanism mechanism) {
    for (const auto& entry : known)
        if (entry.mechanism == mechanism) return entry.name;
    return "";
}

std::optional<Mechanism> mechanism_named(std::string_view name) {
    for (const auto& entry : known)
        if (equal_ignoring_case(entry.name, name)) return entry.mechanism;
    return std::nullopt;
}

bool shows_the_secret(Mechanism mechanism) {
    return mechanism == Mechanism::plain || mechanism == Mechanism::login ||
           mechanism == Mechanism::xoauth2 || mechanism == Mechanism::oauthbearer;
}

}  // namespace relais::sasl
