#include "keyd/dkim_commands.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>

#include "authres/key_publication.h"
#include "authres/zone.h"
#include "base/error.h"
#include "base/io.h"
#include "base/time.h"
#include "control/setting.h"
#include "keyd/dkim_files.h"
#include "keyd/dkim_use.h"

namespace relais::keyd {
namespace {

// Servers verify when mail comes, and some once more when it is read.
constexpr std::int64_t verified_within = 2 * 86400;

void print(std::string_view text) {
    write_all(STDOUT_FILENO, text, Deadline::never());
}

std::string forms(const DkimKeyFile& file) {
    const std::string name = file.record_name();
    const std::string text = authres::key_record_text(*file.key);
    return fmt::format(
        "# {}: {}, {} bits\n# zone file (BIND, nsd, knot)\n{}\n# name and value, for a web page\n{}\n{}\n# "
        "tinydns\n{}\n",
        file.path, authres::to_text(file.key->type()), file.key->bits(), authres::zone_line(name, text), name,
        text, authres::tinydns_line(name, text));
}

// "202611" and the type's letter: one of each kind a month without a thought, others by --selector.
std::string default_selector(authres::KeyType type) {
    const auto month =
        std::chrono::year_month_day(std::chrono::floor<std::chrono::days>(std::chrono::system_clock::now()));
    return fmt::format("{}{}{:02}", type == authres::KeyType::rsa ? "r" : "e", static_cast<int>(month.year()),
                       static_cast<unsigned>(month.month()));
}

// A selector of that type and month that no key of the domain has had.
std::string free_selector(const control::Home& home, const std::string& domain, authres::KeyType type,
                          const DkimUse& use) {
    const auto keys = list_dkim_selectors(home, domain);
    const auto taken = [&](const std::string& name) {
        return use.retired.contains(name) || std::find(keys.begin(), keys.end(), name) != keys.end();
    };
    const std::string first = default_selector(type);
    std::string name = first;
    for (char letter = 'b'; taken(name) && letter <= 'z'; ++letter) name = first + letter;
    return name;
}

std::string make_keys_of(const control::Home& home, const DkimOptions& options,
                         const std::vector<authres::KeyType>& types) {
    const std::string domain = checked_dkim_name(options.domain, "domain");
    DkimUse use = read_dkim_use(home, domain);
    const auto before = list_dkim_selectors(home, domain);
    std::string text;
    for (std::size_t i = 0; i < types.size(); ++i) {
        const std::string selector =
            options.selector.empty() ? free_selector(home, domain, types[i], use) : options.selector;
        // A new key signs when it is published; what signs already goes on.
        const auto prepare = [&] {
            if (use.in_use) return;
            use.in_use = before;
            write_dkim_use(home, domain, use);
        };
        text += forms(make_dkim_key(home, domain, selector, types[i], prepare));
    }
    return text;
}

// What DNS has in the key's place: a word, and whether it is the key (0), not (1), or nobody knows (111).
std::pair<std::string, int> published(const DkimKeyFile& file, const net::DnsAnswer& answer) {
    const auto found = authres::key_published({file.key->type(), file.key->public_key()}, answer);
    const bool unanswered = answer.status == net::DnsStatus::failed || answer.status == net::DnsStatus::bogus;
    return {found.text, found.well ? 0 : unanswered ? 111 : 1};
}

// A line for each key; 0 if all are published.
int say_what_is_published(const control::Home& home, const DkimOptions& options,
                          const std::vector<DkimKeyFile>& files, const DkimUse& use) {
    net::Resolver resolver(home);
    std::unique_ptr<authres::Dns> dns = std::make_unique<authres::ResolverDns>(resolver);
    if (!options.zone.empty()) dns = std::make_unique<authres::ZoneDns>(authres::Zone::read(options.zone));
    std::vector<net::DnsQuestion> questions;
    for (const auto& file : files) questions.push_back({net::RecordType::txt, file.record_name()});
    const auto answers = dns->ask_all(questions, Deadline::in(Seconds(60)));
    int code = 0;
    for (std::size_t i = 0; i < files.size(); ++i) {
        const auto [text, how] = published(files[i], answers[i]);
        print(fmt::format("{}: {}{}\n", files[i].record_name(), text,
                          use.uses(files[i].selector) ? "" : "; it does not sign"));
        if (how == 1 || code == 0) code = how;
    }
    return code;
}

// These keys sign from now on, in the place of those that do.
int switch_to(const control::Home& home, const DkimOptions& options, const std::vector<DkimKeyFile>& files) {
    const std::string& domain = files[0].domain;
    DkimUse use = read_dkim_use(home, domain);
    if (!options.unchecked)
        if (const int code = say_what_is_published(home, options, files, use); code != 0) {
            print("nothing is changed: publish the records (dkim-key show " + domain +
                  ") and run this again\n");
            return code;
        }
    std::vector<std::string> selectors;
    for (const DkimKeyFile& file : files) selectors.push_back(file.selector);
    use = with_keys(std::move(use), selectors, list_dkim_selectors(home, domain), now_seconds());
    write_dkim_use(home, domain, use);
    for (const std::string& selector : selectors) print(selector + " signs the mail of " + domain + " now\n");
    for (const auto& [selector, when] : use.retired)
        print(fmt::format(
            "{} does not sign any more: its record must stay published as long as what it has signed may "
            "be on its way\n",
            selector));
    return 0;
}

// Mail that an old key has signed is not in the queue any more, and has been verified where it went.
int withdraw(const control::Home& home, const std::string& domain, DkimUse& use) {
    const std::int64_t lifetime = control::read<"queuelifetime">(home).count() + verified_within;
    const auto over = retired_before(use, now_seconds() - lifetime);
    for (const std::string& selector : over) {
        remove_dkim_key(home, domain, selector);
        use.retired.erase(selector);
        print(fmt::format("the key {0} is gone: take the record {0}._domainkey.{1} out of DNS\n", selector,
                          domain));
    }
    if (!over.empty()) write_dkim_use(home, domain, use);
    for (const auto& [selector, when] : use.retired)
        print(fmt::format("{} signs no more and is kept for {} hours\n", selector,
                          (when + lifetime - now_seconds() + 3599) / 3600));
    return over.empty() ? 1 : 0;
}

}  // namespace

int make_keys(const control::Home& home, const DkimOptions& options) {
    std::vector<authres::KeyType> types;
    if (options.type == "rsa" || options.type == "both") types.push_back(authres::KeyType::rsa);
    if (options.type == "ed25519" || options.type == "both") types.push_back(authres::KeyType::ed25519);
    if (types.empty()) throw_permanent("--type is rsa, ed25519 or both");
    if (types.size() > 1 && !options.selector.empty())
        throw_permanent("two keys need two selectors: make them one by one");
    print(make_keys_of(home, options, types));
    return 0;
}

int show_keys(const control::Home& home, const DkimOptions& options) {
    std::string text;
    for (const auto& file : read_dkim_keys(home, options.domain, options.selector)) text += forms(file);
    print(text);
    return 0;
}

int check_keys(const control::Home& home, const DkimOptions& options) {
    const auto files = read_dkim_keys(home, options.domain, options.selector);
    return say_what_is_published(home, options, files, read_dkim_use(home, files[0].domain));
}

int use_keys(const control::Home& home, const DkimOptions& options) {
    return switch_to(home, options, read_dkim_keys(home, options.domain, options.selector));
}

int rotate_keys(const control::Home& home, const DkimOptions& options) {
    const auto files = read_dkim_keys(home, options.domain, "");
    const std::string& domain = files[0].domain;
    DkimUse use = read_dkim_use(home, domain);
    std::vector<std::string> fresh;
    std::vector<authres::KeyType> types;
    for (const DkimKeyFile& file : files) {
        if (use.uses(file.selector))
            types.push_back(file.key->type());
        else if (!use.retired.contains(file.selector))
            fresh.push_back(file.selector);
    }
    if (!fresh.empty()) {
        std::vector<DkimKeyFile> keys;
        for (const std::string& selector : fresh)
            keys.push_back(std::move(read_dkim_keys(home, domain, selector).at(0)));
        return switch_to(home, options, keys);
    }
    if (!use.retired.empty()) return withdraw(home, domain, use);
    print(make_keys_of(home, options, types));
    print("# publish this beside the old record, and run this again: it signs when DNS has it\n");
    return 1;
}

}  // namespace relais::keyd
