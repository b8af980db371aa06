#include "inject/compose.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <set>

#include "base/error.h"
#include "base/text.h"
#include "base/time.h"
#include "mail/header.h"
#include "mail/header_tokens.h"

namespace relais::inject {
namespace {

// What the addresses of a field are to us.
enum class Use { none, sender, return_path, public_recipients, recipients, resent_recipients };

struct KnownField {
    std::string_view name;
    Use use;
    bool removed = false;
};

constexpr std::array<KnownField, 21> known_fields = {{
    {"to", Use::public_recipients},
    {"cc", Use::public_recipients},
    {"bcc", Use::recipients, true},
    {"apparently-to", Use::recipients},
    {"resent-to", Use::resent_recipients},
    {"resent-cc", Use::resent_recipients},
    {"resent-bcc", Use::resent_recipients, true},
    {"return-path", Use::return_path, true},
    {"sender", Use::sender},
    {"from", Use::sender},
    {"reply-to", Use::sender},
    {"return-receipt-to", Use::sender},
    {"errors-to", Use::sender},
    {"resent-sender", Use::sender},
    {"resent-from", Use::sender},
    {"resent-reply-to", Use::sender},
    {"content-length", Use::none, true},
    {"date", Use::none},
    {"message-id", Use::none},
    {"resent-date", Use::none},
    {"resent-message-id", Use::none},
}};

const KnownField* find_known(std::string_view lower_name) {
    const auto* found = std::find_if(known_fields.begin(), known_fields.end(),
                                     [&](const KnownField& field) { return field.name == lower_name; });
    return found != known_fields.end() ? found : nullptr;
}

// A message that came with CR LF leaves with LF like every other.
std::string without_cr(std::string_view field) {
    std::string text;
    text.reserve(field.size());
    for (std::size_t end = 0; (end = field.find("\r\n")) != std::string_view::npos;
         field.remove_prefix(end + 1))
        text += field.substr(0, end);
    return text.append(field);
}

// A personal name on one line.
std::string one_line(std::string text) {
    std::erase_if(text, [](char c) { return c == '\r' || c == '\n'; });
    return text;
}

std::string comment_of(std::string_view text) {
    std::string result = "(";
    for (const char c : text) {
        if (c == '(' || c == ')' || c == '\\') result += '\\';
        result += c;
    }
    return result += ')';
}

class Composer {
  public:
    Composer(const Request& request, const Settings& settings) : request_(request), settings_(settings) {
        from_arguments_ = request.source != RecipientSource::header;
        from_header_ = request.source == RecipientSource::header || request.source == RecipientSource::both ||
                       (request.source == RecipientSource::arguments_or_header && request.arguments.empty());
        if (request.sender) sender_ = settings.rewriter.completed(*request.sender);
    }

    Composed run(const std::vector<std::string>& fields) {
        for (const std::string& field : fields) take(field);
        Composed result;
        result.header = new_fields() + kept_;
        result.sender = sender_ ? *sender_ : default_sender();
        result.recipients = recipients();
        return result;
    }

  private:
    bool seen(std::string_view lower_name) const { return seen_.count(std::string(lower_name)) > 0; }

    void take(const std::string& field) {
        const std::string name = lower(*mail::field_name(field));
        if ((name == "from" && settings_.delete_from) ||
            (name == "message-id" && settings_.delete_message_id) ||
            (name == "return-path" && settings_.ignore_return_path))
            return;
        seen_.insert(name);
        const KnownField* known = find_known(name);
        std::string text = known != nullptr && known->use != Use::none ? rewritten(field, known->use) : field;
        if (known == nullptr || !known->removed) kept_ += without_cr(text);
    }

    // A field that nobody needs for its addresses may stay as it is.
    std::string rewritten(const std::string& field, Use use) {
        auto list = mail::parse_address_list(mail::field_body(field));
        if (!list) {
            refuse_unreadable(field, use);
            return field;
        }
        for (mail::ListedAddress* address : mail::addresses_of(*list)) {
            settings_.rewriter.complete(*address);
            use_address(address->address(), use);
        }
        return mail::write_address_field(*mail::field_name(field), *list);
    }

    // Recipients are needed at the end, if at all. An author's field is only shown: a '<' that is never
    // closed does no harm there, but a quote or parenthesis would take what follows with it.
    void refuse_unreadable(const std::string& field, Use use) {
        const std::string complaint = "unable to parse this line:\n" + std::string(trim(field));
        if (use == Use::public_recipients || use == Use::recipients || use == Use::resent_recipients) {
            std::string& first = use == Use::resent_recipients ? bad_resent_field_ : bad_field_;
            if (first.empty()) first = complaint;
        } else if (use == Use::return_path ? !sender_ : !mail::tokenize(mail::field_body(field))) {
            throw_permanent(complaint);
        }
    }

    void use_address(std::string address, Use use) {
        if (use == Use::return_path && !sender_) sender_ = with_verp_mark(address);
        if (address.empty()) return;
        if (use == Use::public_recipients) followup_.push_back(address);
        if (use == Use::public_recipients || use == Use::recipients)
            header_recipients_.push_back(std::move(address));
        else if (use == Use::resent_recipients)
            resent_recipients_.push_back(std::move(address));
    }

    bool resent() const {
        return std::any_of(known_fields.begin(), known_fields.end(), [this](const KnownField& field) {
            return field.name.starts_with("resent-") && seen(field.name);
        });
    }

    // The fields that every message must have and this one has not.
    std::string new_fields() {
        const std::string prefix = resent() ? "Resent-" : "";
        const auto missing = [&](std::string_view name) { return !seen(lower(prefix) + std::string(name)); };
        std::string text;
        if (missing("date")) text += prefix + "Date: " + date_822(settings_.now) + "\n";
        if (missing("message-id"))
            text += prefix + "Message-ID: " +
                    mail::make_message_id(settings_.now, settings_.process, settings_.id_host) + "\n";
        if (missing("from")) text += mail::write_address_field(prefix + "From", from());
        if (missing("to") && missing("cc")) text += prefix + "Cc: recipient list not shown: ;\n";
        if (prefix.empty()) text += followup();
        return text;
    }

    mail::ListedAddress completed(std::string user, const std::optional<std::string>& host) const {
        mail::ListedAddress address;
        address.local = std::move(user);
        address.domain = host.value_or("");
        address.has_domain = host.has_value();
        settings_.rewriter.complete(address);
        return address;
    }

    mail::AddressList from() const {
        mail::ListedAddress address = completed(settings_.user, settings_.host);
        if (settings_.name && settings_.address_comment) {
            address.comment = comment_of(one_line(*settings_.name));
        } else if (settings_.name) {
            address.name = mail::written({mail::Token::Kind::quoted, one_line(*settings_.name), false});
            address.bracketed = true;
        }
        return {{false, {}, {address}}};
    }

    std::string followup() {
        const auto wanted = [this](const std::string& address) {
            return settings_.followup_lists.count(lower(address)) > 0;
        };
        if (seen("mail-followup-to") || std::none_of(followup_.begin(), followup_.end(), wanted)) return {};
        mail::AddressList list;
        for (const std::string& recipient : followup_) {
            const std::size_t at = recipient.rfind('@');
            mail::ListedAddress address;
            address.local = recipient.substr(0, at);
            address.domain = recipient.substr(at + 1);
            address.has_domain = true;
            list.push_back({false, {}, {address}});
        }
        return mail::write_address_field("Mail-Followup-To", list);
    }

    std::string with_verp_mark(std::string address) const {
        return settings_.verp_per_recipient && !address.empty() ? std::move(address) + "-@[]"
                                                                : std::move(address);
    }

    std::string default_sender() const {
        std::string user = settings_.sender_user;
        if (settings_.verp_per_message) user += fmt::format("-{}.{}", settings_.now, settings_.process);
        if (settings_.verp_per_recipient) user += '-';
        return with_verp_mark(completed(user, settings_.sender_host).address());
    }

    std::vector<std::string> recipients() {
        std::vector<std::string> all;
        if (from_arguments_)
            for (const std::string& argument : request_.arguments)
                all.push_back(settings_.rewriter.completed(argument));
        if (const std::string& bad = resent() ? bad_resent_field_ : bad_field_; from_header_ && !bad.empty())
            throw_permanent(bad);
        if (from_header_)
            for (std::string& recipient : resent() ? resent_recipients_ : header_recipients_)
                all.push_back(std::move(recipient));
        std::erase(all, "");
        return all;
    }

    const Request& request_;
    const Settings& settings_;
    bool from_arguments_;
    bool from_header_;
    std::set<std::string> seen_;
    std::string kept_;
    std::optional<std::string> sender_;
    std::vector<std::string> header_recipients_;
    std::vector<std::string> resent_recipients_;
    std::vector<std::string> followup_;
    std::string bad_field_;  // what is wrong with the first field of recipients that cannot be read
    std::string bad_resent_field_;
};

}  // namespace

Composed compose(const std::vector<std::string>& fields, const Request& request, const Settings& settings) {
    return Composer(request, settings).run(fields);
}

}  // namespace relais::inject
