// alias_maps, virtual_alias_maps and virtual_mailbox_maps, as control/aliases, virtualdomains, .qmail files
// of alias and users/assign.
#include <algorithm>
#include <set>

#include "base/text.h"
#include "setup/postfix_settings.h"

namespace relais::setup {
namespace {

constexpr const char* assign = "users/assign";

class Addresses {
  public:
    Addresses(const PostfixConfig& config, const std::function<bool(const std::string&)>& is_user,
              Proposals& proposals)
        : config_(config), is_user_(is_user), proposals_(proposals) {}
    void propose();

  private:
    std::set<std::string> domains(const std::string& name) const;
    void propose_alias_maps();
    void propose_virtual_domains();
    void propose_virtual_aliases(const std::string& map);
    void propose_virtual_alias(const std::string& key, const std::string& value, const std::string& from);
    void propose_mailboxes();
    bool propose_mailbox(const std::string& key, const std::string& value, const std::string& owner,
                         const std::string& from);
    void write_targets(const std::string& name, const std::vector<std::string>& targets,
                       const std::string& from);

    const PostfixConfig& config_;
    const std::function<bool(const std::string&)>& is_user_;
    Proposals& proposals_;
    std::set<std::string> local_{}, aliased_{}, mailboxes_{};
    std::set<std::string> told_{};  // domains of mailboxes, what was said of them
    bool stored_here_ = false;      // not by a server of LMTP
};

std::set<std::string> Addresses::domains(const std::string& name) const {
    std::vector<std::string> missed;
    std::set<std::string> all;
    for (const std::string& domain : config_.members(config_.value(name), missed))
        if (is_domain_name(domain)) all.insert(lower(domain));
    return all;
}

void Addresses::propose_alias_maps() {
    const auto maps = list_of(config_.value("alias_maps"));
    std::vector<std::string> files;
    for (const std::string& map : maps) {
        std::string why;
        const std::size_t colon = map.find(':');
        const std::string file = colon == map.npos ? "" : map.substr(colon + 1);
        const auto entries = config_.map(map, why);
        if (!entries || !file.starts_with('/')) {
            proposals_.by_hand("alias_maps", map + ": " + (why.empty() ? "it has no file" : why) +
                                                 "; newaliases(1) reads files");
            continue;
        }
        files.push_back(file);
        for (const auto& [name, value] : *entries)
            if (is_user_(name))
                proposals_.by_hand("alias_maps", file + ": " + safe_for_log(name) +
                                                     " is a user, who comes before aliases here: "
                                                     "write ~" +
                                                     safe_for_log(name) + "/.qmail");
    }
    if (files.empty()) return;
    proposals_.value("control/aliases", files.front(), "alias_maps");
    proposals_.by_hand(
        "alias_maps",
        "run newaliases for the new instance; root, postmaster and mailer-daemon have .qmail files "
        "in alias/, which come before " +
            files.front());
    for (std::size_t i = 1; i < files.size(); ++i)
        proposals_.by_hand("alias_maps",
                           files[i] + ": control/aliases has one file; append this one to " + files.front());
}

void Addresses::propose_virtual_domains() {
    for (const std::string& domain : aliased_) {
        if (local_.contains(domain)) {
            proposals_.by_hand("virtual_alias_domains",
                               domain + " is in mydestination too, which counts here");
            continue;
        }
        proposals_.line("control/virtualdomains", domain + ":alias-" + domain, "virtual_alias_domains");
    }
    if (!stored_here_) return;
    for (const std::string& domain : mailboxes_)
        if (!local_.contains(domain) && !aliased_.contains(domain))
            proposals_.line("control/virtualdomains", domain + ":" + domain, "virtual_mailbox_domains");
}

void Addresses::write_targets(const std::string& name, const std::vector<std::string>& targets,
                              const std::string& from) {
    for (const std::string& target : targets) proposals_.line("alias/.qmail-" + name, target, from);
}

// Targets as Postfix completes them. What a .qmail file cannot say is left to hands.
void Addresses::propose_virtual_alias(const std::string& key, const std::string& value,
                                      const std::string& from) {
    const std::string told = from + " " + safe_for_log(key);
    const std::size_t at = key.rfind('@');
    const std::string user = key.substr(0, at), domain = at == key.npos ? "" : lower(key.substr(at + 1));
    if (at == key.npos && is_domain_name(key) &&
        (aliased_.contains(lower(key)) || mailboxes_.contains(lower(key))))
        return;
    const bool is_local = domain.empty() || local_.contains(domain) || domain == lower(config_.origin());
    const bool is_virtual =
        !is_local && (aliased_.contains(domain) || (stored_here_ && mailboxes_.contains(domain)));
    if (!is_local && !is_virtual)
        return proposals_.by_hand(
            told, "the domain is none of this host's: control/virtualdomains may have a line " +
                      safe_for_log(key) + ":alias-NAME");
    if (is_local && user.empty())
        return proposals_.by_hand(told, "alias/.qmail-default gets the mail of all names that are nobody's");
    if (is_local && is_user_(user))
        return proposals_.by_hand(told, "a user's: write ~" + safe_for_log(user) + "/.qmail");
    const auto targets_told = list_of(value);
    // Said so that a line for all of the domain leaves the mailbox alone.
    if (stored_here_ && mailboxes_.contains(domain) && targets_told.size() == 1 &&
        equal_ignoring_case(targets_told.front(), key))
        return;
    const std::string extension = user.empty() ? "default" : extension_of(user);
    if (extension.empty()) return proposals_.by_hand(told, "no .qmail file can have that name");
    std::vector<std::string> targets;
    for (const std::string& target : targets_told) {
        const bool same =
            equal_ignoring_case(with_domain(target, config_.origin()), with_domain(key, config_.origin()));
        // "@DOMAIN" stands in a line that a shell reads.
        const bool domain_alone = target.starts_with('@') && is_domain_name(target.substr(1));
        if (same || !is_plain(target) || target.find_first_of("\"'`\\$") != target.npos ||
            (target.starts_with('@') && !domain_alone))
            return proposals_.by_hand(
                told, same ? "it names itself, which would go in a circle here: a mailbox is a line "
                             "./Maildir/ of its .qmail file"
                           : "no .qmail line can have " + safe_for_log(target));
        if (target.starts_with('@') && user.empty())
            targets.push_back("|forward \"$DEFAULT\"" + target);
        else if (target.starts_with('@'))
            targets.push_back("&" + user + target);
        else
            targets.push_back("&" + with_domain(target, config_.origin()));
    }
    if (!targets.empty())
        write_targets(is_local ? extension : extension_of(domain) + "-" + extension, targets, told);
}

void Addresses::propose_virtual_aliases(const std::string& map) {
    std::string why;
    const auto entries = config_.map(map, why);
    if (!entries)
        return proposals_.by_hand("virtual_alias_maps",
                                  map + ": " + why + "; a .qmail file of alias for each address does it");
    for (const auto& [key, value] : *entries) propose_virtual_alias(key, value, map);
}

// A Maildir as one user's home, with a line ./ in its .qmail.
bool Addresses::propose_mailbox(const std::string& key, const std::string& value, const std::string& owner,
                                const std::string& from) {
    const std::size_t at = key.rfind('@');
    const std::string base = config_.value("virtual_mailbox_base");
    if (at == key.npos || at == 0 || !value.ends_with('/') || value.find("..") != value.npos) return false;
    const std::string domain = lower(key.substr(at + 1)),
                      path = base + "/" + value.substr(0, value.size() - 1);
    const std::string local = domain + "-" + lower(key.substr(0, at));
    if (!is_plain(local + path) || (local + path).find(':') != std::string::npos) return false;
    const std::string beginning = "alias/.qmail-" + extension_of(domain) + "-";
    if (proposals_.has(beginning + extension_of(key.substr(0, at)))) {
        proposals_.by_hand(from + " " + safe_for_log(key),
                           "virtual_alias_maps sends its mail elsewhere: the mailbox gets none");
        return true;
    }
    if (proposals_.has(beginning + "default") && told_.insert(domain).second)
        proposals_.by_hand(from,
                           "mailboxes of " + domain +
                               " come before its line for all other addresses, which Postfix obeys first "
                               "where a mailbox has no line of its own in virtual_alias_maps");
    proposals_.line(assign, "=" + local + ":" + owner + ":" + path + ":::", from);
    return true;
}

void Addresses::propose_mailboxes() {
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
                !propose_mailbox(key, value, "virtual:" + uid + ":" + gid, "virtual_mailbox_maps"))
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

void Addresses::propose() {
    local_ = domains("mydestination");
    aliased_ = domains("virtual_alias_domains");
    mailboxes_ = domains("virtual_mailbox_domains");
    const std::string transport = config_.value("virtual_transport");
    stored_here_ = transport.empty() || transport == "virtual";
    propose_alias_maps();
    propose_virtual_domains();
    for (const std::string& map : list_of(config_.value("virtual_alias_maps"))) propose_virtual_aliases(map);
    if (stored_here_) propose_mailboxes();
}

}  // namespace

void propose_addresses(const PostfixConfig& config, const std::function<bool(const std::string&)>& is_user,
                       Proposals& proposals) {
    Addresses(config, is_user, proposals).propose();
}

}  // namespace relais::setup
