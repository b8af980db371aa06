#include "keyd/mail_protocol.h"

#include "base/octets.h"

namespace relais::keyd {
namespace {

constexpr std::size_t name_limit = 255;

// A name and its NUL off the front; nothing if there is none, or it is empty or too long.
std::optional<std::string_view> take_name(std::string_view& rest) {
    const std::size_t end = rest.find('\0');
    if (end == std::string_view::npos || end == 0 || end > name_limit) return std::nullopt;
    const std::string_view name = rest.substr(0, end);
    rest.remove_prefix(end + 1);
    return name;
}

std::string begin_with_token(char letter, std::string_view token) {
    std::string body(1, letter);
    append_le(body, token.size(), 4);
    return body.append(token);
}

std::string& append_name(std::string& to, std::string_view name) {
    return to.append(name).append(1, '\0');
}

std::optional<MailRequest> decode_keys_wanted(std::string_view token, std::string_view rest) {
    KeysWanted wanted{token};
    while (!rest.empty()) {
        const auto domain = take_name(rest);
        if (!domain) return std::nullopt;
        wanted.domains.push_back(*domain);
    }
    return wanted;
}

std::optional<MailRequest> decode_signing(std::string_view token, std::string_view rest) {
    const auto domain = take_name(rest);
    const auto selector = domain ? take_name(rest) : std::nullopt;
    if (!selector || rest.size() != mail_hash_size) return std::nullopt;
    return MailSigning{token, *domain, *selector, rest};
}

}  // namespace

std::string encode_mail_request(const MailRequest& request) {
    struct Encoder {
        std::string operator()(const KeysWanted& wanted) const {
            std::string body = begin_with_token('M', wanted.token);
            for (const std::string_view domain : wanted.domains) append_name(body, domain);
            return body;
        }
        std::string operator()(const MailSigning& signing) const {
            std::string body = begin_with_token('G', signing.token);
            append_name(append_name(body, signing.domain), signing.selector);
            return body.append(signing.hash);
        }
    };
    return std::visit(Encoder{}, request);
}

std::optional<MailRequest> decode_mail_request(std::string_view body) {
    if (body.size() < 5) return std::nullopt;
    const std::size_t size = get_le(body, 1, 4);
    if (size > body.size() - 5) return std::nullopt;
    const std::string_view token = body.substr(5, size), rest = body.substr(5 + size);
    if (body[0] == 'M') return decode_keys_wanted(token, rest);
    return body[0] == 'G' ? decode_signing(token, rest) : std::nullopt;
}

std::string encode_keys_found(const KeysFound& found) {
    std::string body = "M";
    if (found.domain.empty()) return body;
    append_name(body, found.domain);
    for (const MailKeyName& key : found.keys) {
        body += key.type == authres::KeyType::rsa ? 'r' : 'e';
        append_name(body, key.selector);
    }
    return body;
}

std::optional<KeysFound> decode_keys_found(std::string_view body) {
    if (!body.starts_with('M')) return std::nullopt;
    std::string_view rest = body.substr(1);
    KeysFound found;
    if (rest.empty()) return found;
    const auto domain = take_name(rest);
    if (!domain) return std::nullopt;
    found.domain = *domain;
    while (!rest.empty()) {
        const char type = rest.front();
        rest.remove_prefix(1);
        const auto selector = take_name(rest);
        if ((type != 'r' && type != 'e') || !selector || found.keys.size() == mail_keys_limit)
            return std::nullopt;
        found.keys.push_back(
            {type == 'r' ? authres::KeyType::rsa : authres::KeyType::ed25519, std::string(*selector)});
    }
    return found;
}

std::string encode_mail_signature(std::string_view signature) {
    return "G" + std::string(signature);
}

std::optional<std::string> decode_mail_signature(std::string_view body) {
    if (body.size() < 2 || body[0] != 'G') return std::nullopt;
    return std::string(body.substr(1));
}

}  // namespace relais::keyd
