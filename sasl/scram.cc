#include "sasl/scram.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <sodium.h>

#include "base/error.h"
#include "base/text.h"
#include "sasl/base64.h"

namespace relais::sasl {
namespace {

constexpr std::string_view verifier_scheme = "SCRAM-SHA-256$";

const unsigned char* octets(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}

std::string_view view(const ScramDigest& digest) {
    return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

ScramDigest hmac(std::string_view key, std::string_view text) {
    ScramDigest result{};
    if (::HMAC(::EVP_sha256(), key.data(), static_cast<int>(key.size()), octets(text), text.size(),
               result.data(), nullptr) == nullptr)
        throw Error(Reaction::temporary, "unable to compute HMAC-SHA-256");
    return result;
}

ScramDigest hash(const ScramDigest& input) {
    ScramDigest result{};
    ::SHA256(input.data(), input.size(), result.data());
    return result;
}

ScramDigest mixed(const ScramDigest& a, const ScramDigest& b) {
    ScramDigest result{};
    for (std::size_t i = 0; i < result.size(); ++i) result[i] = static_cast<unsigned char>(a[i] ^ b[i]);
    return result;
}

// SaltedPassword, wiped by its owner.
class Salted {
  public:
    Salted(std::string_view password, std::string_view salt, std::uint32_t iterations) {
        if (::PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()), octets(salt),
                                static_cast<int>(salt.size()), static_cast<int>(iterations), ::EVP_sha256(),
                                static_cast<int>(digest_.size()), digest_.data()) != 1)
            throw Error(Reaction::temporary, "unable to compute PBKDF2");
    }
    ~Salted() { ::sodium_memzero(digest_.data(), digest_.size()); }
    Salted(const Salted&) = delete;
    Salted& operator=(const Salted&) = delete;

    ScramDigest client_key() const { return hmac(view(digest_), "Client Key"); }
    ScramDigest server_key() const { return hmac(view(digest_), "Server Key"); }

  private:
    ScramDigest digest_{};
};

std::optional<ScramDigest> decode_digest(std::string_view text) {
    const auto octets_of = decode_base64(text);
    if (!octets_of || octets_of->size() != scram_digest_size) return std::nullopt;
    ScramDigest digest{};
    std::copy(octets_of->begin(), octets_of->end(), digest.begin());
    return digest;
}

std::optional<std::uint32_t> parse_iterations(std::string_view text) {
    const auto number = parse_number(text);
    if (!number || *number < 1 || *number > scram_most_iterations) return std::nullopt;
    return static_cast<std::uint32_t>(*number);
}

std::optional<std::string> decode_salt(std::string_view text) {
    auto salt = decode_base64(text);
    return salt && !salt->empty() && salt->size() <= scram_salt_limit ? salt : std::nullopt;
}

// RFC 5802's printable: no comma, no control, nothing outside ASCII.
bool is_nonce(std::string_view text, std::size_t limit) {
    for (const char c : text)
        if (c <= ' ' || c >= '\x7f' || c == ',') return false;
    return !text.empty() && text.size() <= limit;
}

// "name=value" up to the next comma, taken off the front of rest, comma and all.
std::optional<std::string_view> take_attribute(std::string_view& rest, char name) {
    if (rest.size() < 2 || rest[0] != name || rest[1] != '=') return std::nullopt;
    const std::size_t end = std::min(rest.find(','), rest.size());
    if (end + 1 == rest.size()) return std::nullopt;  // a comma with nothing behind it
    const std::string_view value = rest.substr(2, end - 2);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    return value;
}

// What may follow the attributes we know: "x=...,y=...".
bool are_extensions(std::string_view rest) {
    if (rest.empty()) return true;
    for (const std::string_view part : split(rest, ','))
        if (part.size() < 3 || part[1] != '=' || lower(part[0]) < 'a' || lower(part[0]) > 'z' ||
            part[0] == 'm')
            return false;
    return rest.find('\0') == std::string_view::npos;
}

}  // namespace

ScramVerifier make_scram_verifier(std::string_view password, std::string_view salt,
                                  std::uint32_t iterations) {
    const Salted salted(password, salt, iterations);
    ScramDigest client_key = salted.client_key();
    ScramVerifier verifier{std::string(salt), iterations, hash(client_key), salted.server_key()};
    ::sodium_memzero(client_key.data(), client_key.size());
    return verifier;
}

std::string format_scram_verifier(const ScramVerifier& verifier) {
    return std::string(verifier_scheme) + std::to_string(verifier.iterations) + ":" +
           encode_base64(verifier.salt) + "$" + encode_base64(view(verifier.stored_key)) + ":" +
           encode_base64(view(verifier.server_key));
}

std::optional<ScramVerifier> parse_scram_verifier(std::string_view text) {
    if (!text.starts_with(verifier_scheme)) return std::nullopt;
    const auto parts = split(text.substr(verifier_scheme.size()), '$');
    if (parts.size() != 2) return std::nullopt;
    const auto parameters = split(parts[0], ':');
    const auto keys = split(parts[1], ':');
    if (parameters.size() != 2 || keys.size() != 2) return std::nullopt;
    const auto iterations = parse_iterations(parameters[0]);
    auto salt = decode_salt(parameters[1]);
    const auto stored_key = decode_digest(keys[0]);
    const auto server_key = decode_digest(keys[1]);
    if (!iterations || !salt || !stored_key || !server_key) return std::nullopt;
    return ScramVerifier{*std::move(salt), *iterations, *stored_key, *server_key};
}

bool scram_proof_fits(const ScramVerifier& verifier, std::string_view messages, std::string_view proof) {
    if (proof.size() != scram_digest_size) return false;
    ScramDigest given{};
    std::copy(proof.begin(), proof.end(), given.begin());
    ScramDigest client_key = mixed(given, hmac(view(verifier.stored_key), messages));
    const ScramDigest stored_key = hash(client_key);
    ::sodium_memzero(client_key.data(), client_key.size());
    return ::sodium_memcmp(stored_key.data(), verifier.stored_key.data(), stored_key.size()) == 0;
}

std::string scram_server_signature(const ScramVerifier& verifier, std::string_view messages) {
    return std::string(view(hmac(view(verifier.server_key), messages)));
}

ScramProof make_scram_proof(std::string_view password, std::string_view salt, std::uint32_t iterations,
                            std::string_view messages) {
    const Salted salted(password, salt, iterations);
    ScramDigest client_key = salted.client_key();
    const ScramDigest signature = hmac(view(hash(client_key)), messages);
    ScramProof result{std::string(view(mixed(client_key, signature))),
                      std::string(view(hmac(view(salted.server_key()), messages)))};
    ::sodium_memzero(client_key.data(), client_key.size());
    return result;
}

std::optional<std::string> decode_saslname(std::string_view text) {
    std::string name;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == ',' || text[i] == '\0') return std::nullopt;
        if (text[i] != '=') {
            name += text[i];
            continue;
        }
        const std::string_view code = text.substr(i, 3);
        if (code != "=2C" && code != "=3D") return std::nullopt;
        name += code == "=2C" ? ',' : '=';
        i += 2;
    }
    return name.empty() ? std::nullopt : std::optional(std::move(name));
}

std::string encode_saslname(std::string_view name) {
    std::string text;
    for (const char c : name) {
        if (c == ',' || c == '=')
            text += c == ',' ? "=2C" : "=3D";
        else
            text += c;
    }
    return text;
}

std::optional<ClientFirst> parse_client_first(std::string_view message) {
    ClientFirst first;
    std::string_view rest = message;
    if (rest.starts_with("n,") || rest.starts_with("y,")) {
        first.binding = rest[0];
        rest.remove_prefix(2);
    } else if (auto type = take_attribute(rest, 'p'); type && is_nonce(*type, 64)) {
        first.binding = 'p';
        first.binding_type = *type;
    } else {
        return std::nullopt;
    }
    if (rest.starts_with(',')) {
        rest.remove_prefix(1);
    } else {
        const auto name = take_attribute(rest, 'a');
        auto decoded = name ? decode_saslname(*name) : std::nullopt;
        if (!decoded) return std::nullopt;
        first.authorization = *std::move(decoded);
    }
    first.header = message.substr(0, message.size() - rest.size());
    first.bare = rest;
    const auto name = take_attribute(rest, 'n');
    auto user = name ? decode_saslname(*name) : std::nullopt;
    const auto nonce = take_attribute(rest, 'r');
    if (!user || !nonce || !is_nonce(*nonce, scram_nonce_limit) || !are_extensions(rest)) return std::nullopt;
    first.user = *std::move(user);
    first.nonce = *nonce;
    return first;
}

std::optional<ServerFirst> parse_server_first(std::string_view message) {
    const auto nonce = take_attribute(message, 'r');
    const auto salt_text = nonce ? take_attribute(message, 's') : std::nullopt;
    const auto iterations_text = salt_text ? take_attribute(message, 'i') : std::nullopt;
    if (!iterations_text || !is_nonce(*nonce, 2 * scram_nonce_limit) || !are_extensions(message))
        return std::nullopt;
    auto salt = decode_salt(*salt_text);
    const auto iterations = parse_iterations(*iterations_text);
    if (!salt || !iterations) return std::nullopt;
    return ServerFirst{*nonce, *std::move(salt), *iterations};
}

std::string format_server_first(std::string_view nonce, std::string_view salt, std::uint32_t iterations) {
    return "r=" + std::string(nonce) + ",s=" + encode_base64(salt) + ",i=" + std::to_string(iterations);
}

std::optional<ClientFinal> parse_client_final(std::string_view message) {
    const std::size_t end = message.rfind(",p=");
    if (end == std::string_view::npos) return std::nullopt;
    ClientFinal final_message;
    final_message.without_proof = message.substr(0, end);
    std::string_view rest = final_message.without_proof;
    const auto binding = take_attribute(rest, 'c');
    const auto nonce = binding ? take_attribute(rest, 'r') : std::nullopt;
    if (!nonce || !is_nonce(*nonce, 2 * scram_nonce_limit) || !are_extensions(rest)) return std::nullopt;
    auto decoded_binding = decode_base64(*binding);
    auto proof = decode_base64(message.substr(end + 3));
    if (!decoded_binding || !proof || proof->size() != scram_digest_size) return std::nullopt;
    final_message.binding = *std::move(decoded_binding);
    final_message.nonce = *nonce;
    final_message.proof = *std::move(proof);
    return final_message;
}

std::string new_scram_nonce() {
    if (::sodium_init() < 0) throw Error(Reaction::temporary, "unable to initialise libsodium");
    std::array<char, 18> random{};
    ::randombytes_buf(random.data(), random.size());
    return encode_base64({random.data(), random.size()});
}

}  // namespace relais::sasl
