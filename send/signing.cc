#include "send/signing.h"

#include <sys/stat.h>

#include <algorithm>

#include "base/error.h"
#include "base/idna.h"
#include "base/text.h"
#include "control/setting.h"
#include "keyd/mail_token.h"

namespace relais::send {
namespace {

using Kind = mail::Submitter::Kind;

// An order is carried out within a day, or comes again (a delivery that hangs is cut off long before).
constexpr std::int64_t token_lifetime = 86400;

bool is_number(std::string_view text) {
    return parse_number(text).has_value();
}

// "name:x:uid:..." of /etc/passwd; "" if there is no such name.
std::string uid_of(std::string_view name, std::string_view passwd) {
    for (const std::string_view line : split(passwd, '\n')) {
        const auto fields = split(line, ':');
        if (fields.size() > 2 && fields[0] == name && is_number(fields[2])) return std::string(fields[2]);
    }
    return "";
}

// As DNS has them, for the keys are there by these names.
std::vector<std::string> domains_of(const mail::Submitter& submitter) {
    std::vector<std::string> domains;
    for (const std::string& domain : submitter.domains()) domains.push_back(ascii_domain_of(domain));
    return domains;
}

}  // namespace

std::map<std::string, std::vector<std::string>, std::less<>> parse_dkim_users(
    const std::vector<std::string>& lines, std::string_view passwd, std::vector<std::string>& mistakes) {
    std::map<std::string, std::vector<std::string>, std::less<>> senders;
    for (const std::string& line : lines) {
        const std::size_t colon = line.find(':');
        const std::string_view user = trim(std::string_view(line).substr(0, colon));
        const std::string uid = is_number(user) ? std::string(user) : uid_of(user, passwd);
        if (colon == std::string::npos || uid.empty()) {
            mistakes.push_back("control/dkimusers: \"" + safe_for_log(line) +
                               (colon == std::string::npos
                                    ? "\" has no colon: USER: DOMAIN ..."
                                    : "\" names no user that was in /etc/passwd when qmail-send "
                                      "began; his uid will do"));
            continue;
        }
        for (const std::string_view word : split(std::string_view(line).substr(colon + 1), ' ')) {
            const std::string_view domain = trim(word);
            if (domain.empty()) continue;
            const bool named = domain == keyd::any_domain || domain.find('@') != std::string_view::npos;
            senders[uid].push_back(lower(named ? std::string(domain) : "@" + std::string(domain)));
        }
    }
    return senders;
}

std::vector<std::string> Signing::read() {
    std::vector<std::string> mistakes;
    struct stat status {};
    has_keys_ = !secret_.empty() && ::stat(home_.path("control/dkim").c_str(), &status) == 0;
    if (!has_keys_) return mistakes;
    bounce_host_ = lower(control::read<"bouncehost">(home_));
    dkim_users_ = parse_dkim_users(control::read<"dkimusers">(home_), passwd_, mistakes);
    return mistakes;
}

std::string Signing::allow(mail::Submitter& submitter, std::uint64_t message, std::int64_t now) const {
    if (!has_keys_) return "";
    if (submitter.kind == Kind::bounce) submitter.may_use = {"@" + bounce_host_};
    if (submitter.kind == Kind::local) {
        const auto found = dkim_users_.find(submitter.name);
        if (found != dkim_users_.end())
            submitter.may_use = found->second;
        else if (submitter.name == "0")
            submitter.may_use = {std::string(keyd::any_domain)};
    }
    const auto is_any = [](const std::string& rule) { return rule == keyd::any_domain; };
    keyd::MailGrant grant{message, now + token_lifetime, domains_of(submitter)};
    if (std::any_of(submitter.may_use.begin(), submitter.may_use.end(), is_any))
        grant.domains = {std::string(keyd::any_domain)};
    if (grant.domains.empty()) return "";
    std::string token = keyd::make_mail_token(secret_, grant);
    std::erase_if(submitter.may_use, [&](const std::string& rule) {
        return rule != keyd::any_domain && !grant.allows(ascii_domain_of(rule));
    });
    return token;
}

}  // namespace relais::send
