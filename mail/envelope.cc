#include "mail/envelope.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"
#include "mail/smtp_command.h"
#include "mail/utf8_address.h"

namespace relais::mail {
namespace {

constexpr std::size_t name_limit = 1024;
constexpr std::size_t from_limit = 320;  // RFC 5321, 4.5.3.1: local part and domain

constexpr std::array<std::pair<Submitter::Kind, std::string_view>, 8> kinds = {
    {{Submitter::Kind::stranger, "stranger"},
     {Submitter::Kind::login, "login"},
     {Submitter::Kind::certificate, "certificate"},
     {Submitter::Kind::rule, "rule"},
     {Submitter::Kind::open_smtp, "open-smtp"},
     {Submitter::Kind::local, "local"},
     {Submitter::Kind::forward, "forward"},
     {Submitter::Kind::bounce, "bounce"}}};

// What may stand in a value: it is written into an environment variable and shown to people.
bool is_clean(std::string_view text) {
    return std::none_of(text.begin(), text.end(),
                        [](char c) { return static_cast<unsigned char>(c) < 32 || c == 127; });
}

bool is_from_rule(std::string_view text) {
    const bool blank = text.find(' ') != std::string_view::npos;
    return !text.empty() && text.size() <= from_limit && !blank && is_clean(text) &&
           (text == "*" || text.find('@') != std::string_view::npos);
}

void put(std::string& out, std::string_view name, std::string_view value) {
    out.append(name).append(" ").append(value) += '\0';
}

void put_submitter(std::string& out, const Submitter& submitter) {
    if (submitter.kind == Submitter::Kind::unsaid) return;
    const bool nameable = is_clean(submitter.name) && submitter.name.size() <= name_limit;
    put(out, "submitter",
        std::string(kind_name(submitter.kind)) + " " + (nameable ? submitter.name : std::string()));
    std::size_t count = 0;
    for (const std::string& from : submitter.may_use)
        if (is_from_rule(from) && ++count <= may_use_limit) put(out, "may-use", from);
}

void put_recipients(std::string& out, const std::vector<RecipientOptions>& recipients) {
    const auto said = [](const RecipientOptions& one) { return one.said(); };
    if (std::none_of(recipients.begin(), recipients.end(), said)) return;
    put(out, "recipients", std::to_string(recipients.size()));
    for (std::size_t i = 0; i < recipients.size(); ++i) {
        const std::string index = std::to_string(i) + " ";
        if (recipients[i].notify.said()) put(out, "notify", index + lower(notify_text(recipients[i].notify)));
        if (is_orcpt(recipients[i].orcpt)) put(out, "orcpt", index + recipients[i].orcpt);
    }
}

bool take_submitter(std::string_view value, Submitter& submitter) {
    const std::string_view word = value.substr(0, value.find(' '));
    const auto found =
        std::find_if(kinds.begin(), kinds.end(), [&](const auto& kind) { return kind.second == word; });
    if (found == kinds.end() || submitter.kind != Submitter::Kind::unsaid) return false;
    submitter.kind = found->first;
    submitter.name = value.substr(std::min(word.size() + 1, value.size()));
    return submitter.name.size() <= name_limit;
}

bool take_may_use(std::string_view value, Submitter& submitter) {
    if (!is_from_rule(value) || submitter.may_use.size() >= may_use_limit) return false;
    submitter.may_use.push_back(lower(value));
    return true;
}

bool take_ret(std::string_view value, Ret& ret) {
    ret = value == "full" ? Ret::full : value == "hdrs" ? Ret::headers : Ret::unsaid;
    return ret != Ret::unsaid;
}

bool take_second(std::string_view value, std::int64_t& second) {
    const auto number = parse_number(value);
    if (!number || *number == 0 || *number > static_cast<std::uint64_t>(last_second)) return false;
    second = static_cast<std::int64_t>(*number);
    return true;
}

bool take_priority(std::string_view value, int& priority) {
    const auto said = parse_priority(value);
    priority = said.value_or(0);
    return said.has_value();
}

// The fields of one extension, as they come.
class FieldTaker {
  public:
    FieldTaker(Extension& extension, std::size_t recipients) : extension_(extension) {
        extension_.recipients.resize(recipients);
    }

    bool take(std::string_view name, std::string_view value) {
        EnvelopeOptions& options = extension_.options;
        if (!is_clean(value)) return false;
        if (name == "submitter") return take_submitter(value, options.submitter);
        if (name == "may-use") return take_may_use(value, options.submitter);
        if (name == "body") return (options.body = BodyType::binary, value == "binary");
        if (name == "smtputf8") return (options.smtputf8 = true, value == "yes");
        if (name == "requiretls") return (options.requiretls = true, value == "yes");
        if (name == "session") return is_session(options.session = value);
        if (name == "hold") return (options.hold = true, value == "yes");
        if (name == "release") return take_second(value, options.release);
        if (name == "deliver-by") return (options.deliver_by = parse_deliver_by(value)).has_value();
        if (name == "priority") return take_priority(value, options.priority);
        if (name == "ret") return take_ret(value, options.ret);
        if (name == "envid") return is_envid(options.envid = value);
        if (name == "recipients") return take_number(value);
        if (name == "notify" || name == "orcpt") return take_of_recipient(name, value);
        return true;
    }

  private:
    bool take_number(std::string_view value) {
        const auto number = parse_number(value);
        if (!number || counted_) return false;
        counted_ = true;
        ours_ = *number == extension_.recipients.size();
        said_ = *number;
        return true;
    }

    bool take_of_recipient(std::string_view name, std::string_view value) {
        const std::size_t blank = value.find(' ');
        const auto index = parse_number(value.substr(0, blank));
        if (!counted_ || blank == std::string_view::npos || !index || *index >= said_) return false;
        const std::string_view rest = value.substr(blank + 1);
        const auto notify = name == "notify" ? parse_notify(rest) : std::nullopt;
        if (!notify && (name == "notify" || !is_orcpt(rest))) return false;
        if (!ours_) return true;
        RecipientOptions& recipient = extension_.recipients[static_cast<std::size_t>(*index)];
        if (notify)
            recipient.notify = *notify;
        else
            recipient.orcpt = rest;
        return true;
    }

    Extension& extension_;
    bool counted_ = false;
    bool ours_ = false;
    std::uint64_t said_ = 0;
};

}  // namespace

std::optional<Notify> parse_notify(std::string_view text) {
    Notify notify;
    for (const std::string_view word : split(text, ',')) {
        bool* flag = equal_ignoring_case(word, "NEVER")     ? &notify.never
                     : equal_ignoring_case(word, "SUCCESS") ? &notify.success
                     : equal_ignoring_case(word, "FAILURE") ? &notify.failure
                     : equal_ignoring_case(word, "DELAY")   ? &notify.delay
                                                            : nullptr;
        if (flag == nullptr) return std::nullopt;
        *flag = true;
    }
    if (notify.never && (notify.success || notify.failure || notify.delay)) return std::nullopt;
    return notify.said() ? std::optional(notify) : std::nullopt;
}

std::string notify_text(const Notify& notify) {
    std::string text;
    const auto add = [&](bool wanted, std::string_view word) {
        if (wanted) text.append(text.empty() ? "" : ",").append(word);
    };
    add(notify.never, "NEVER");
    add(notify.success, "SUCCESS");
    add(notify.failure, "FAILURE");
    add(notify.delay, "DELAY");
    return text;
}

bool is_orcpt(std::string_view text) {
    const std::size_t end = text.find(';');
    if (end == 0 || end == std::string_view::npos || end + 1 == text.size() || text.size() > orcpt_limit)
        return false;
    // An atom of RFC 5322; more is not in use.
    const auto is_type = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
    };
    const std::string_view type = text.substr(0, end);
    if (!std::all_of(type.begin(), type.end(), is_type)) return false;
    const std::string_view address = text.substr(end + 1);
    return equal_ignoring_case(type, "utf-8") ? decode_utf8_address(address).has_value()
                                              : decode_xtext(address).has_value();
}

bool is_envid(std::string_view text) {
    return !text.empty() && text.size() <= envid_limit && decode_xtext(text);
}

bool is_session(std::string_view text) {
    const auto fits = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
               c == '-';
    };
    return !text.empty() && text.size() <= session_limit && std::all_of(text.begin(), text.end(), fits);
}

std::string_view kind_name(Submitter::Kind kind) {
    for (const auto& [each, name] : kinds)
        if (each == kind) return name;
    return "unsaid";
}

bool Submitter::may_use_from(std::string_view address) const {
    const std::string from = lower(address);
    const std::size_t at = from.rfind('@');
    if (at == std::string::npos) return false;
    return std::any_of(may_use.begin(), may_use.end(), [&](const std::string& rule) {
        return rule == "*" || rule == from ||
               (rule.starts_with('@') && rule == std::string_view(from).substr(at));
    });
}

std::vector<std::string> Submitter::domains() const {
    std::vector<std::string> all;
    for (const std::string& rule : may_use) {
        const std::size_t at = rule.rfind('@');
        if (at == std::string::npos) continue;
        std::string domain = rule.substr(at + 1);
        if (std::find(all.begin(), all.end(), domain) == all.end()) all.push_back(std::move(domain));
    }
    return all;
}

std::string encode_extension(const EnvelopeOptions& options,
                             const std::vector<RecipientOptions>& recipients) {
    std::string out;
    put_submitter(out, options.submitter);
    if (options.body == BodyType::binary) put(out, "body", "binary");
    if (options.smtputf8) put(out, "smtputf8", "yes");
    if (options.requiretls) put(out, "requiretls", "yes");
    if (is_session(options.session)) put(out, "session", options.session);
    if (options.hold) put(out, "hold", "yes");
    if (options.release > 0) put(out, "release", std::to_string(options.release));
    if (options.deliver_by) put(out, "deliver-by", deliver_by_text(*options.deliver_by));
    if (options.priority != 0) put(out, "priority", std::to_string(options.priority));
    if (options.ret != Ret::unsaid) put(out, "ret", options.ret == Ret::full ? "full" : "hdrs");
    if (is_envid(options.envid)) put(out, "envid", options.envid);
    put_recipients(out, recipients);
    if (!out.empty()) out += '\0';
    return out;
}

std::string encode_extension(const Envelope& envelope) {
    std::vector<RecipientOptions> recipients;
    for (const Recipient& recipient : envelope.recipients) recipients.push_back(recipient.options);
    return encode_extension(envelope.options, recipients);
}

std::optional<Extension> decode_extension(std::string_view data, std::size_t recipients) {
    if (data.size() > extension_limit) return std::nullopt;
    Extension extension;
    FieldTaker taker(extension, recipients);
    for (;;) {
        const std::size_t end = data.find('\0');
        if (end == std::string_view::npos) return std::nullopt;
        const std::string_view field = data.substr(0, end);
        data.remove_prefix(end + 1);
        if (field.empty()) break;
        const std::size_t blank = field.find(' ');
        if (blank == std::string_view::npos || !taker.take(field.substr(0, blank), field.substr(blank + 1)))
            return std::nullopt;
    }
    return data.empty() ? std::optional(std::move(extension)) : std::nullopt;
}

std::string extension_variable(std::string_view sender, std::string_view extension) {
    if (extension.empty() || !is_clean(sender)) return {};
    std::string text(extension.substr(0, extension.size() - 1));
    std::replace(text.begin(), text.end(), '\0', '\n');
    return "sender " + std::string(sender) + "\n" + text;
}

std::optional<ExtensionFor> extension_from_variable(std::string_view variable) {
    constexpr std::string_view begin = "sender ";
    const std::size_t end = variable.find('\n');
    if (!variable.starts_with(begin) || end == std::string_view::npos) return std::nullopt;
    ExtensionFor said{std::string(variable.substr(begin.size(), end - begin.size())),
                      std::string(variable.substr(end + 1))};
    std::replace(said.extension.begin(), said.extension.end(), '\n', '\0');
    said.extension += '\0';
    return said;
}

std::string session_in_variable(std::string_view variable) {
    const auto said = extension_from_variable(variable);
    const auto decoded = said ? decode_extension(said->extension, 0) : std::nullopt;
    return decoded ? decoded->options.session : "";
}

}  // namespace relais::mail
