#include "keyd/mail_keys.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/text.h"

namespace relais::keyd {
namespace {

constexpr std::size_t signatures_kept = 1000;

}  // namespace

std::vector<std::string> read_selectors(std::string_view text) {
    std::vector<std::string> found;
    for (const std::string_view line : split(text, '\n'))
        if (const std::string_view word = trim(line); !word.empty() && word.front() != '#')
            found.push_back(lower(word));
    return found;
}

void MailKeys::add(std::string_view file, std::string_view content) {
    const std::string_view path = file.substr(std::min(mail_key_folder.size(), file.size()));
    const std::size_t slash = path.find('/');
    if (slash == std::string_view::npos) return;
    const std::string_view name = path.substr(slash + 1);
    Domain& domain = coming_[lower(path.substr(0, slash))];
    if (name == selectors_in_use) {
        domain.in_use = read_selectors(content);
        domain.has_list = true;
        return;
    }
    try {
        domain.keys[lower(name)] = authres::PrivateKey::parse(content, "control/" + std::string(file));
    } catch (const Error& error) {
        problems_.push_back(error.what());
    }
}

std::vector<std::string> MailKeys::commit() {
    for (auto& [name, domain] : coming_) {
        if (!domain.has_list)
            for (const auto& [selector, key] : domain.keys) domain.in_use.push_back(selector);
        std::erase_if(domain.in_use, [&, &domain = domain, &name = name](const std::string& selector) {
            if (domain.keys.contains(selector)) return false;
            problems_.push_back("control/" + std::string(mail_key_folder) + name + "/" +
                                std::string(selectors_in_use) + " names " + selector +
                                ", and there is no such key");
            return true;
        });
        if (domain.in_use.size() > mail_keys_limit) domain.in_use.resize(mail_keys_limit);
    }
    domains_ = std::exchange(coming_, {});
    // A key may have been replaced under its name.
    made_.clear();
    made_in_order_.clear();
    return std::exchange(problems_, {});
}

KeysFound MailKeys::find(const std::vector<std::string_view>& domains) const {
    for (const std::string_view wanted : domains) {
        const auto found = domains_.find(wanted);
        if (found == domains_.end() || found->second.in_use.empty()) continue;
        KeysFound answer{found->first, {}};
        for (const std::string& selector : found->second.in_use)
            answer.keys.push_back({found->second.keys.at(selector)->type(), selector});
        return answer;
    }
    return {};
}

std::optional<std::string> MailKeys::sign(std::string_view domain, std::string_view selector,
                                          std::string_view hash) {
    const auto found = domains_.find(domain);
    if (found == domains_.end()) return std::nullopt;
    const auto key = found->second.keys.find(selector);
    if (key == found->second.keys.end()) return std::nullopt;
    const std::string name = std::string(domain) + '\0' + std::string(selector) + '\0' + std::string(hash);
    if (const auto made = made_.find(name); made != made_.end()) return made->second;
    std::string signature = key->second->sign(hash);
    made_.emplace(name, signature);
    made_in_order_.push_back(name);
    if (made_in_order_.size() > signatures_kept) {
        made_.erase(made_in_order_.front());
        made_in_order_.pop_front();
    }
    return signature;
}

}  // namespace relais::keyd
