#include "auth/account.h"

#include <sodium.h>

#include <array>
#include <limits>
#include <vector>

#include "base/error.h"
#include "base/text.h"
#include "sasl/scram.h"

namespace relais::auth {
namespace {

constexpr std::string_view hexadecimal = "0123456789ABCDEF";
constexpr std::size_t field_count = 9;  // without the last it is a line of before SCRAM

bool is_plain(char c) {
    return c > ' ' && c < '\x7f';
}

std::string quoted(std::string_view text) {
    std::string result;
    for (const char c : text) {
        if (is_plain(c) && c != '%' && c != ':') {
            result += c;
            continue;
        }
        const auto octet = static_cast<unsigned char>(c);
        result.append(1, '%').append(1, hexadecimal[octet >> 4]).append(1, hexadecimal[octet & 15]);
    }
    return result;
}

std::optional<unsigned> digit(char c) {
    const std::size_t at = hexadecimal.find(c >= 'a' && c <= 'f' ? static_cast<char>(c - 'a' + 'A') : c);
    return at == std::string_view::npos ? std::nullopt : std::optional(static_cast<unsigned>(at));
}

std::optional<std::string> unquoted(std::string_view text) {
    std::string result;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            result += text[i];
            continue;
        }
        if (text.size() - i < 3) return std::nullopt;
        const auto high = digit(text[i + 1]);
        const auto low = digit(text[i + 2]);
        if (!high || !low || (*high == 0 && *low == 0)) return std::nullopt;
        result += static_cast<char>(*high << 4 | *low);
        i += 2;
    }
    return result;
}

std::optional<std::uint32_t> parse_id(std::string_view text) {
    const auto number = parse_number(text);
    if (!number || *number == 0 || *number >= std::numeric_limits<std::uint32_t>::max()) return std::nullopt;
    return static_cast<std::uint32_t>(*number);
}

}  // namespace

std::string scram_salt_of_nobody(std::string_view seed, std::string_view name) {
    std::array<unsigned char, 16> salt{};
    ::crypto_generichash(salt.data(), salt.size(), reinterpret_cast<const unsigned char*>(name.data()),
                         name.size(), reinterpret_cast<const unsigned char*>(seed.data()), seed.size());
    return {reinterpret_cast<const char*>(salt.data()), salt.size()};
}

Account parse_passwd_line(std::string_view line) {
    std::vector<std::string> fields;
    for (const std::string_view word : split(line, ':')) {
        auto field = unquoted(word);
        if (!field) throw_permanent("wrong %XX in field " + std::to_string(fields.size() + 1));
        fields.push_back(*std::move(field));
    }
    if (fields.size() + 1 == field_count) fields.emplace_back();
    if (fields.size() != field_count)
        throw_permanent(std::to_string(fields.size()) + " fields in place of " + std::to_string(field_count));
    const auto name = canonical_name(fields[0], "");
    if (!name || *name != fields[0]) throw_permanent("the account must be user@domain in lower case");
    const auto uid = parse_id(fields[3]);
    const auto gid = parse_id(fields[4]);
    if (!uid) throw_permanent("uid must be a number above 0");
    if (!gid) throw_permanent("gid must be a number above 0");
    if (!fields[5].starts_with('/')) throw_permanent("home must be an absolute path");
    if (!fields[8].empty() && !sasl::parse_scram_verifier(fields[8]))
        throw_permanent("the verifier is not of the form SCRAM-SHA-256$ITERATIONS:SALT$KEY:KEY");
    return {fields[0], fields[1], fields[2], *uid, *gid, fields[5], fields[6], fields[7], fields[8]};
}

std::string format_passwd_line(const Account& account) {
    std::string line;
    for (const std::string& field :
         {account.name, account.hash, account.secret, std::to_string(account.uid),
          std::to_string(account.gid), account.home, account.shell, account.maildir, account.verifier})
        line.append(line.empty() ? "" : ":").append(quoted(field));
    return line;
}

std::string encode_record(const Account& account) {
    std::string data = account.hash;
    for (const std::string& field : {account.secret, std::to_string(account.uid), std::to_string(account.gid),
                                     account.home, account.shell, account.maildir, account.verifier})
        data.append(1, '\0').append(field);
    return data;
}

std::optional<Account> decode_record(std::string_view name, std::string_view data) {
    const std::vector<std::string_view> fields = split(data, '\0');
    if (fields.size() != field_count - 1) return std::nullopt;
    const auto uid = parse_id(fields[2]);
    const auto gid = parse_id(fields[3]);
    if (!uid || !gid || !fields[4].starts_with('/')) return std::nullopt;
    const auto text = [&](std::size_t index) { return std::string(fields[index]); };
    return Account{std::string(name), text(0), text(1), *uid, *gid, text(4), text(5), text(6), text(7)};
}

}  // namespace relais::auth
