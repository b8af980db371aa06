#include "policy/sender_logins.h"

#include "base/text.h"
#include "base/words.h"

namespace relais::policy {
namespace {

// anna@example.org, or anna-anything@example.org.
bool is_own(std::string_view account, std::string_view sender) {
    const std::size_t at = account.rfind('@');
    const std::size_t sign = sender.rfind('@');
    if (at == std::string_view::npos || sign == std::string_view::npos) return account == sender;
    const std::string_view user = account.substr(0, at);
    const std::string_view local = sender.substr(0, sign);
    return account.substr(at) == sender.substr(sign) && local.starts_with(user) &&
           (local.size() == user.size() || local[user.size()] == '-');
}

}  // namespace

SenderLogins::SenderLogins(const std::vector<std::string>& lines) {
    if (lines.empty()) return;
    if (equal_ignoring_case(lines[0], "warn")) mode_ = Mode::warn;
    if (equal_ignoring_case(lines[0], "enforce")) mode_ = Mode::enforce;
    for (std::size_t i = 1; i < lines.size(); ++i) {
        const std::string line = lower(lines[i]);
        const auto words = words_of(line);
        if (words.empty()) continue;
        auto& senders = senders_[std::string(words[0])];
        senders.insert(senders.end(), words.begin() + 1, words.end());
    }
}

bool SenderLogins::lists(const std::string& login, std::string_view sender) const {
    const auto found = senders_.find(login);
    if (found == senders_.end()) return false;
    const std::size_t at = std::min(sender.rfind('@'), sender.size());
    for (const std::string& entry : found->second)
        if (entry == "*" || entry == sender || (entry.starts_with('@') && entry == sender.substr(at)))
            return true;
    return false;
}

bool SenderLogins::may_use(std::string_view account, std::string_view sender) const {
    if (sender.empty()) return true;
    const std::string name = lower(account);
    const std::string address = lower(sender);
    return is_own(name, address) || lists(name, address) || lists("*", address);
}

std::vector<std::string> SenderLogins::senders_of(std::string_view account) const {
    const std::string name = lower(account);
    std::vector<std::string> all;
    if (const std::size_t at = name.rfind('@'); at != std::string::npos)
        all.push_back(mode_ == Mode::enforce ? name : name.substr(at));
    for (const std::string& login : {name, std::string("*")})
        if (const auto found = senders_.find(login); found != senders_.end())
            all.insert(all.end(), found->second.begin(), found->second.end());
    return all;
}

}  // namespace relais::policy
