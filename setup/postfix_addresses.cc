// alias_maps and virtual_alias_maps, as control/aliases, virtualdomains and .qmail files of alias.
#include <algorithm>
#include <map>
#include <set>

#include "base/text.h"
#include "setup/postfix_settings.h"

namespace relais::setup {
namespace {

// With ".new" behind it while it is written: a name in a directory has 255 octets at most.
constexpr std::size_t file_name_limit = 250;

// A key of virtual_alias_maps, once: the first map that has it counts.
struct Alias {
    std::string key, value;
    std::string from;  // for people: the map and the key
    std::string user;  // "" for all of the domain
    std::string domain;
    std::string file{};  // below the instance; "" for what gets none
    bool is_local = false;
};

class Addresses {
  public:
    Addresses(const PostfixConfig& config, const std::function<bool(const std::string&)>& is_user,
              Proposals& proposals, std::string beginning)
        : config_(config),
          is_user_(is_user),
          proposals_(proposals),
          origin_(config.origin()),
          beginning_("alias/.qmail-" + std::move(beginning)) {}
    void propose();

  private:
    std::set<std::string> domains(const std::string& name) const;
    std::string user_before_extension(const std::string& local) const;
    bool reaches_a_user(const std::string& domain, const std::string& from);
    void propose_alias_maps();
    void propose_virtual_domains();
    void read_virtual_aliases();
    void add_virtual_alias(const std::string& map, const std::string& key, const std::string& value);
    std::string trouble_of_local(const Alias& alias) const;
    std::string trouble_of_file(const Alias& alias) const;
    bool find_file(Alias& alias);
    void propose_virtual_aliases();
    void propose_targets(const Alias& alias);

    const PostfixConfig& config_;
    const std::function<bool(const std::string&)>& is_user_;
    Proposals& proposals_;
    const std::string origin_;
    const std::string beginning_;  // of the .qmail files of what is alias-x
    std::set<std::string> local_{}, aliased_{}, mailboxes_{};
    std::set<std::string> alias_names_{};  // of alias_maps
    std::vector<Alias> aliases_{};         // of virtual_alias_maps
    std::set<std::string> keys_{};         // theirs, small
    std::set<std::string> elsewhere_{};    // addresses that virtual_alias_maps sends elsewhere
    bool stored_here_ = false;             // not by a server of LMTP
};

std::set<std::string> Addresses::domains(const std::string& name) const {
    std::vector<std::string> missed;
    std::set<std::string> all;
    for (const std::string& domain : virtual_domains(config_, name, missed))
        if (is_domain_name(domain)) all.insert(lower(domain));
    return all;
}

// "bob" of "bob-sales", where there is such a user: the mail is his, whatever alias has.
std::string Addresses::user_before_extension(const std::string& local) const {
    for (std::size_t dash = local.rfind('-'); dash != local.npos && dash != 0;
         dash = local.rfind('-', dash - 1))
        if (is_user_(local.substr(0, dash))) return local.substr(0, dash);
    return "";
}

// Mail for a virtual domain is that of alias-DOMAIN-ADDRESS: of a user "alias-x", where DOMAIN is "x-y.test".
bool Addresses::reaches_a_user(const std::string& domain, const std::string& from) {
    const std::string user = user_before_extension("alias-" + domain + "-");
    if (user.empty() || user == "alias") return false;
    proposals_.by_hand(from, domain + ": its mail would be that of the user " + safe_for_log(user) +
                                 "; write " + domain +
                                 ":PREFIX into control/virtualdomains with another "
                                 "prefix (qmail-send(8))");
    return true;
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
        for (const auto& [name, value] : *entries) {
            alias_names_.insert(lower(name));
            const std::string user = is_user_(name) ? name : user_before_extension(name);
            if (!user.empty())
                proposals_.by_hand("alias_maps", file + ": " + safe_for_log(name) + " is mail of the user " +
                                                     safe_for_log(user) +
                                                     ", who comes before aliases here: write ~" +
                                                     safe_for_log(user) + "/.qmail" +
                                                     safe_for_log(name.substr(user.size())));
        }
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
        if (!reaches_a_user(domain, "virtual_alias_domains"))
            proposals_.line("control/virtualdomains", domain + ":alias-" + domain, "virtual_alias_domains");
    }
    if (!stored_here_) return;
    for (const std::string& domain : mailboxes_)
        if (!local_.contains(domain) && !aliased_.contains(domain) &&
            !reaches_a_user(domain, "virtual_mailbox_domains"))
            proposals_.line("control/virtualdomains", domain + ":alias-" + domain, "virtual_mailbox_domains");
}

// As Postfix asks: a key once, of the first map that has it.
void Addresses::add_virtual_alias(const std::string& map, const std::string& key, const std::string& value) {
    if (!keys_.insert(lower(key)).second) return;
    const std::size_t at = key.rfind('@');
    const std::string from = map + " " + safe_for_log(key);
    if (at == key.npos && (aliased_.contains(lower(key)) || mailboxes_.contains(lower(key)))) {
        // What makes a domain of it has any word behind it.
        if (value.find('@') != value.npos)
            proposals_.by_hand(from,
                               "taken for a domain; if it is a name of this host too, write alias/.qmail-" +
                                   safe_for_log(extension_of(key)));
        return;
    }
    Alias alias{.key = key, .value = value, .from = from, .user = key.substr(0, at), .domain = ""};
    if (at != key.npos) alias.domain = lower(key.substr(at + 1));
    alias.is_local = alias.domain.empty() || local_.contains(alias.domain);
    const auto same = [&](const std::string& target) {
        return equal_ignoring_case(with_domain(target, origin_), with_domain(key, origin_));
    };
    const auto targets = list_of(value);
    const bool names_itself = std::ranges::any_of(targets, same);
    if (!targets.empty() && !names_itself) elsewhere_.insert(lower(key));
    // Said so that a line for all of the domain leaves the mailbox alone.
    const bool is_box =
        alias.is_local ? is_user_(alias.user) : stored_here_ && mailboxes_.contains(alias.domain);
    if (is_box && targets.size() == 1 && names_itself) return;
    if (names_itself)
        return proposals_.by_hand(from,
                                  "it names itself, which would go in a circle here: a mailbox is a line "
                                  "./Maildir/ of its .qmail file");
    if (find_file(alias)) aliases_.push_back(std::move(alias));
}

// .qmail files of alias are for all domains of control/locals.
std::string Addresses::trouble_of_local(const Alias& alias) const {
    if (alias.user.empty()) return "alias/.qmail-default gets the mail of all names that are nobody's";
    if (is_user_(alias.user)) return "a user's: write ~" + safe_for_log(alias.user) + "/.qmail";
    if (const std::string user = user_before_extension(alias.user); !user.empty())
        return "mail of the user " + safe_for_log(user) + ": write ~" + safe_for_log(user) + "/.qmail" +
               safe_for_log(alias.user.substr(user.size()));
    if (alias.domain.empty()) return "";
    const std::string host = lower(config_.value("myhostname"));
    const bool several = std::ranges::any_of(local_, [&](const std::string& each) {
        return each != alias.domain && each != host && each != "localhost" && !each.starts_with("localhost.");
    });
    const bool another = local_.contains(host) && alias.domain != host;
    if (several || (another && alias_names_.contains(lower(alias.user))))
        return "several domains are local, and alias/.qmail-" + safe_for_log(extension_of(alias.user)) +
               " would be for all of them: take " + alias.domain + " out of control/locals and write " +
               alias.domain + ":alias-" + alias.domain +
               " into control/virtualdomains (docs/moving-from-postfix.md)";
    return "";
}

std::string Addresses::trouble_of_file(const Alias& alias) const {
    const std::string extension = extension_of(alias.user);
    if ((!alias.user.empty() && extension.empty()) ||
        (!alias.is_local && extension_of(alias.domain).empty()) ||
        name_of(alias.file).size() > file_name_limit)
        return "no .qmail file can have that name";
    if (extension == "default" || extension.ends_with("-default"))
        return "such a .qmail file would get the mail of other names too";
    const auto longer = [&](const std::string& each) { return each.starts_with(alias.domain + "-"); };
    if (alias.user.empty() &&
        (std::ranges::any_of(aliased_, longer) || std::ranges::any_of(mailboxes_, longer)))
        return "such a .qmail file would get the mail of other domains too";
    return "";
}

// False, and said, for what gets no .qmail file.
bool Addresses::find_file(Alias& alias) {
    const bool is_virtual = !alias.is_local && (aliased_.contains(alias.domain) ||
                                                (stored_here_ && mailboxes_.contains(alias.domain)));
    std::string trouble;
    if (!alias.is_local && !is_virtual)
        trouble = "the domain is none of this host's: control/virtualdomains may have a line " +
                  safe_for_log(alias.key) + ":alias-NAME";
    else if (alias.is_local)
        trouble = trouble_of_local(alias);
    const std::string extension = alias.user.empty() ? "default" : extension_of(alias.user);
    alias.file = alias.is_local ? "alias/.qmail-" + extension
                                : beginning_ + extension_of(alias.domain) + "-" + extension;
    if (trouble.empty()) trouble = trouble_of_file(alias);
    if (!trouble.empty()) proposals_.by_hand(alias.from, trouble);
    return trouble.empty();
}

// Targets as Postfix completes them. What a .qmail file cannot say is left to hands.
void Addresses::propose_targets(const Alias& alias) {
    std::vector<std::string> targets;
    for (const std::string& target : list_of(alias.value)) {
        // "@DOMAIN" stands in a line that a shell reads.
        const bool domain_alone = target.starts_with('@') && is_domain_name(target.substr(1));
        if (!is_plain(target) || target.find_first_of("\"'`\\$") != target.npos ||
            (target.starts_with('@') && !domain_alone))
            return proposals_.by_hand(alias.from, "no .qmail line can have " + safe_for_log(target));
        if (target.starts_with('@') && alias.user.empty())
            targets.push_back("|forward \"$DEFAULT\"" + target);
        else if (target.starts_with('@'))
            targets.push_back("&" + alias.user + target);
        else
            targets.push_back("&" + with_domain(target, origin_));
    }
    for (const std::string& target : targets) proposals_.line(alias.file, target, alias.from);
}

void Addresses::read_virtual_aliases() {
    for (const std::string& map : list_of(config_.value("virtual_alias_maps"))) {
        std::string why;
        const auto entries = config_.map(map, why);
        if (!entries) {
            proposals_.by_hand("virtual_alias_maps",
                               map + ": " + why + "; a .qmail file of alias for each address does it");
            continue;
        }
        for (const auto& [key, value] : *entries) add_virtual_alias(map, key, value);
    }
}

// Where two addresses want one file, either would get the other's mail: neither has it.
void Addresses::propose_virtual_aliases() {
    std::map<std::string, std::vector<std::string>> wanted;
    for (const Alias& alias : aliases_) wanted[alias.file].push_back(alias.key);
    for (const Alias& alias : aliases_) {
        const auto& keys = wanted[alias.file];
        if (keys.size() == 1) {
            propose_targets(alias);
            continue;
        }
        const std::string& other = keys.front() == alias.key ? keys.back() : keys.front();
        proposals_.by_hand(alias.from, safe_for_log(other) + " would have the same " +
                                           safe_for_log(alias.file) + ": write it if one may get it all");
    }
}

void Addresses::propose() {
    std::vector<std::string> missed;
    for (const std::string& domain : config_.members(config_.value("mydestination"), missed))
        if (is_domain_name(domain)) local_.insert(lower(domain));
    aliased_ = domains("virtual_alias_domains");
    mailboxes_ = domains("virtual_mailbox_domains");
    const std::string transport = config_.value("virtual_transport");
    stored_here_ = transport.empty() || transport == "virtual";
    propose_alias_maps();
    propose_virtual_domains();
    read_virtual_aliases();
    propose_virtual_aliases();
    if (stored_here_) propose_mailboxes(config_, elsewhere_, beginning_, proposals_);
}

}  // namespace

std::vector<std::string> virtual_domains(const PostfixConfig& config, const std::string& name,
                                         std::vector<std::string>& missed) {
    std::vector<std::string> all;
    for (const std::string& word : list_of(config.value(name))) {
        const bool is_map = !is_domain_name(word) && !word.starts_with('/');
        for (std::string& domain : config.members(word, missed))
            if (!is_map || domain.find('.') != domain.npos) all.push_back(std::move(domain));
    }
    return all;
}

void propose_addresses(const PostfixConfig& config, const std::function<bool(const std::string&)>& is_user,
                       Proposals& proposals, const std::string& beginning) {
    Addresses(config, is_user, proposals, beginning).propose();
}

}  // namespace relais::setup
