#include "mail/smtp_command.h"

#include <algorithm>
#include <limits>

#include "base/text.h"

namespace relais::mail {
namespace {

constexpr std::string_view blanks = " \t";

bool is_alphanumeric(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// RFC 5321's esmtp-keyword.
bool is_keyword(std::string_view text) {
    return !text.empty() && text.front() != '-' &&
           std::all_of(text.begin(), text.end(), [](char c) { return is_alphanumeric(c) || c == '-'; });
}

// RFC 5321's esmtp-value, but with '=' within, which SRS and AUTH identities hold.
bool is_value(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
        return static_cast<unsigned char>(c) > 32 && c != 127;
    });
}

std::optional<unsigned> hex_digit(char c) {
    if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
    if (c >= 'A' && c <= 'F') return static_cast<unsigned>(c - 'A' + 10);
    return std::nullopt;
}

bool is_xchar(char c) {
    return c > 32 && c < 127 && c != '+' && c != '=';
}

std::optional<std::uint64_t> parse_size(std::string_view value) {
    const bool digits = std::all_of(value.begin(), value.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (!digits || value.empty() || value.size() > 20) return std::nullopt;
    return parse_number(value).value_or(std::numeric_limits<std::uint64_t>::max());
}

// Takes one parameter into result; says what is wrong with it.
MailParameters::Fault take_parameter(const EsmtpParameter& parameter, MailParameters& result) {
    using Fault = MailParameters::Fault;
    const std::string_view value = parameter.value.value_or("");
    if (equal_ignoring_case(parameter.keyword, "SIZE")) {
        if (result.size) return Fault::syntax;
        result.size = parse_size(value);
        return result.size ? Fault::none : Fault::syntax;
    }
    if (equal_ignoring_case(parameter.keyword, "BODY")) {
        result.eight_bit = equal_ignoring_case(value, "8BITMIME");
        return result.eight_bit || equal_ignoring_case(value, "7BIT") ? Fault::none : Fault::syntax;
    }
    if (equal_ignoring_case(parameter.keyword, "AUTH")) {
        if (result.auth) return Fault::syntax;
        result.auth = value == "<>" ? std::string() : decode_xtext(value);
        return result.auth && !value.empty() ? Fault::none : Fault::syntax;
    }
    if (equal_ignoring_case(parameter.keyword, "RET")) {
        if (result.ret != Ret::unsaid) return Fault::syntax;
        if (equal_ignoring_case(value, "FULL")) result.ret = Ret::full;
        if (equal_ignoring_case(value, "HDRS")) result.ret = Ret::headers;
        return result.ret != Ret::unsaid ? Fault::none : Fault::syntax;
    }
    if (equal_ignoring_case(parameter.keyword, "ENVID")) {
        if (!result.envid.empty()) return Fault::syntax;
        result.envid = value;
        return is_envid(value) ? Fault::none : Fault::syntax;
    }
    if (equal_ignoring_case(parameter.keyword, "SMTPUTF8")) {
        if (result.smtputf8 || parameter.value) return Fault::syntax;
        result.smtputf8 = true;
        return Fault::none;
    }
    if (equal_ignoring_case(parameter.keyword, "REQUIRETLS")) {
        if (result.requiretls || parameter.value) return Fault::syntax;
        result.requiretls = true;
        return Fault::none;
    }
    const auto transfer = take_transfer_parameter(parameter.keyword, value, result.transfer);
    return !transfer ? Fault::unknown : *transfer ? Fault::none : Fault::syntax;
}

MailParameters::Fault take_rcpt_parameter(const EsmtpParameter& parameter, RecipientOptions& options) {
    using Fault = MailParameters::Fault;
    const std::string_view value = parameter.value.value_or("");
    if (equal_ignoring_case(parameter.keyword, "NOTIFY")) {
        const auto notify = parse_notify(value);
        if (!notify || options.notify.said()) return Fault::syntax;
        options.notify = *notify;
        return Fault::none;
    }
    if (equal_ignoring_case(parameter.keyword, "ORCPT")) {
        if (!options.orcpt.empty() || !is_orcpt(value)) return Fault::syntax;
        options.orcpt = value;
        return Fault::none;
    }
    return Fault::unknown;
}

}  // namespace

SmtpCommand parse_smtp_command(std::string_view line) {
    line = trim(line);
    const std::size_t end = std::min(line.find_first_of(blanks), line.size());
    return {line.substr(0, end), trim(line.substr(end))};
}

std::optional<std::string_view> after_keyword(std::string_view argument, std::string_view keyword) {
    if (!starts_ignoring_case(argument, keyword)) return std::nullopt;
    argument.remove_prefix(keyword.size());
    const std::size_t colon = argument.find_first_not_of(blanks);
    if (colon == std::string_view::npos || argument[colon] != ':') return std::nullopt;
    return argument.substr(colon + 1);
}

std::optional<std::vector<EsmtpParameter>> parse_esmtp_parameters(std::string_view text) {
    std::vector<EsmtpParameter> parameters;
    for (;;) {
        text.remove_prefix(std::min(text.find_first_not_of(blanks), text.size()));
        if (text.empty()) return parameters;
        const std::string_view word = text.substr(0, text.find_first_of(blanks));
        text.remove_prefix(word.size());
        const std::size_t equals = word.find('=');
        EsmtpParameter parameter{word.substr(0, equals), std::nullopt};
        if (equals != std::string_view::npos) parameter.value = word.substr(equals + 1);
        if (!is_keyword(parameter.keyword) || (parameter.value && !is_value(*parameter.value)))
            return std::nullopt;
        parameters.push_back(parameter);
    }
}

MailParameters parse_mail_parameters(std::string_view text) {
    MailParameters result;
    const auto parameters = parse_esmtp_parameters(text);
    if (!parameters) {
        result.fault = MailParameters::Fault::syntax;
        return result;
    }
    for (const EsmtpParameter& parameter : *parameters) {
        result.fault = take_parameter(parameter, result);
        if (result.fault != MailParameters::Fault::none) break;
    }
    return result;
}

RcptParameters parse_rcpt_parameters(std::string_view text) {
    RcptParameters result;
    const auto parameters = parse_esmtp_parameters(text);
    if (!parameters) {
        result.fault = MailParameters::Fault::syntax;
        return result;
    }
    for (const EsmtpParameter& parameter : *parameters) {
        result.fault = take_rcpt_parameter(parameter, result.options);
        if (result.fault != MailParameters::Fault::none) break;
    }
    return result;
}

std::optional<Chunk> parse_chunk(std::string_view argument) {
    const SmtpCommand words = parse_smtp_command(argument);
    const auto size = parse_size(words.verb);
    const bool last = equal_ignoring_case(words.argument, "LAST");
    if (!size || *size > Chunk::most || (!last && !words.argument.empty())) return std::nullopt;
    return Chunk{*size, last};
}

std::optional<std::string> decode_xtext(std::string_view text) {
    std::string result;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (is_xchar(text[i])) {
            result += text[i];
            continue;
        }
        if (text[i] != '+' || i + 2 >= text.size()) return std::nullopt;
        const auto high = hex_digit(text[i + 1]);
        const auto low = hex_digit(text[i + 2]);
        if (!high || !low) return std::nullopt;
        result += static_cast<char>(*high * 16 + *low);
        i += 2;
    }
    return result;
}

std::string encode_xtext(std::string_view text) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string result;
    for (const char c : text) {
        if (is_xchar(c)) {
            result += c;
            continue;
        }
        const auto octet = static_cast<unsigned char>(c);
        result += {'+', digits[octet >> 4], digits[octet & 15]};
    }
    return result;
}

}  // namespace relais::mail
