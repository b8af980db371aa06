// virtual_mailbox_maps, as users/assign: mail for ADDRESS is that of alias-DOMAIN-USER, whose home is a
// Maildir.
#include <map>
#include <set>

#include "base/text.h"
#include "setup/postfix_settings.h"

namespace relais::setup {
namespace {

constexpr const char* assign = "users/assign";

class Mailboxes {
  public:
    Mailboxes(const PostfixConfig& config, const std::set<std::string>& elsewhere,
              const std::string& beginning, Proposals& proposals)
        : config_(config), elsewhere_(elsewhere), beginning_(beginning), proposals_(proposals) {}
    void propose();

  private:
    bool propose_one(const std::string& key, const std::string& value, const std::string& owner,
                     const std::string& from);

    const PostfixConfig& config_;
    const std::set<std::string>& elsewhere_;
    const std::string& beginning_;
    Proposals& proposals_;
    std::map<std::string, std::string> boxes_{};  // local parts of users/assign, and whose they are
    std::set<std::string> told_{};                // domains, what was said of them
};

// A Maildir as one user's home, with a line ./ in its .qmail.
bool Mailboxes::propose_one(const std::string& key, const std::string& value, const std::string& owner,
                            const std::string& from) {
    const std::size_t at = key.rfind('@');
    const std::string base = config_.value("virtual_mailbox_base");
    if (at == key.npos || at == 0 || !value.ends_with('/') || value.find("..") != value.npos) return false;
    const std::string domain = lower(key.substr(at + 1)),
                      path = base + "/" + value.substr(0, value.size() - 1);
    const std::string local = "alias-" + domain + "-" + lower(key.substr(0, at));
    if (!is_plain(local + path) || (local + path).find(':') != std::string::npos) return false;
    const auto& [owned, is_first] = boxes_.emplace(local, lower(key));
    if (!is_first) return owned->second == lower(key);
    if (elsewhere_.contains(lower(key))) {
        proposals_.by_hand(from + " " + safe_for_log(key),
                           "virtual_alias_maps sends its mail elsewhere: the mailbox gets none");
        return true;
    }
    if (proposals_.has(beginning_ + extension_of(domain) + "-default") && told_.insert(domain).second)
        proposals_.by_hand(from,
                           "mailboxes of " + domain +
                               " come before its line for all other addresses, which Postfix obeys first "
                               "where a mailbox has no line of its own in virtual_alias_maps");
    proposals_.line(assign, "=" + local + ":" + owner + ":" + path + ":::", from);
    return true;
}

void Mailboxes::propose() {
    const auto number = [&](const std::string& name) -> std::string {
        const std::string value = config_.value(name);
        const auto id = value.starts_with("static:") ? parse_number(value.substr(7)) : std::nullopt;
        return id && *id != 0 ? std::to_string(*id) : "";
    };
    const std::string uid = number("virtual_uid_maps"), gid = number("virtual_gid_maps");
    std::vector<std::string> bases;
    for (const std::string& map : list_of(config_.value("virtual_mailbox_maps"))) {
        std::string why =
            uid.empty() || gid.empty() ? "virtual_uid_maps and virtual_gid_maps are not static:NUMBER" : "";
        const auto entries = why.empty() ? config_.map(map, why) : std::nullopt;
        if (!entries) {
            proposals_.by_hand(
                "virtual_mailbox_maps",
                map + ": " + why +
                    "; make such mailboxes before the start, or their mail bounces (docs/virtual-domain.md)");
            continue;
        }
        for (const auto& [key, value] : *entries)
            if (key.find('@') != key.npos &&
                !propose_one(key, value, "virtual:" + uid + ":" + gid, "virtual_mailbox_maps"))
                proposals_.by_hand(
                    "virtual_mailbox_maps " + safe_for_log(key),
                    "not a Maildir of one address: make that mailbox before the start, or its mail bounces "
                    "(docs/virtual-domain.md)");
    }
    if (!proposals_.has(assign)) return;
    proposals_.end(assign, ".");
    proposals_.by_hand("virtual_mailbox_maps",
                       "each of these Maildirs needs a file .qmail with the line ./ "
                       "(docs/moving-from-postfix.md): mail waits until it is there");
}

}  // namespace

void propose_mailboxes(const PostfixConfig& config, const std::set<std::string>& elsewhere,
                       const std::string& beginning, Proposals& proposals) {
    Mailboxes(config, elsewhere, beginning, proposals).propose();
}

}  // namespace relais::setup
