#include "policy/policy.h"

#include "auth/login_name.h"
#include "base/error.h"
#include "base/idna.h"
#include "base/text.h"
#include "control/setting.h"
#include "mail/address.h"
#include "net/socket.h"

namespace relais::policy {
namespace {

LocalSenders read_localsenders(const control::Home& home) {
    const std::string word = control::read<"localsenders">(home);
    if (equal_ignoring_case(word, "enforce")) return LocalSenders::enforce;
    return equal_ignoring_case(word, "warn") ? LocalSenders::warn : LocalSenders::off;
}

// The domains of "domain:prefix"; not those without a prefix, which are exceptions, nor single addresses.
control::DomainSet read_virtualdomains(const control::Home& home) {
    std::vector<std::string> domains;
    for (const std::string& line : control::read<"virtualdomains">(home)) {
        const std::size_t colon = line.find(':');
        if (colon != std::string::npos && colon + 1 < line.size() && line.find('@') > colon)
            domains.push_back(line.substr(0, colon));
    }
    return control::DomainSet(domains);
}

}  // namespace

std::vector<std::string> Policy::readable_places(const control::Home& home) {
    const std::string file = opensmtp::OpenSmtpSettings::read(home).file;
    const std::size_t slash = file.rfind('/');
    if (slash == std::string::npos || slash == 0) return {};
    return {file.substr(0, slash)};
}

Policy::Policy(control::Home home)
    : home_(std::move(home)),
      rcpthosts_(home_, [this] { return control::DomainSet(control::read<"rcpthosts">(home_)); }),
      bad_names_(home_),
      counts_(home_),
      localiphost_(home_, [this] { return control::read<"localiphost">(home_); }),
      defaultdomain_(home_, [this] { return control::read<"defaultdomain">(home_); }),
      localsenders_(home_, [this] { return read_localsenders(home_); }),
      senderlogins_(home_, [this] { return SenderLogins(control::read<"senderlogins">(home_)); }),
      locals_(home_, [this] { return control::DomainSet(control::read<"locals">(home_)); }),
      virtualdomains_(home_, [this] { return read_virtualdomains(home_); }),
      gate_(home_),
      recipientcheck_(home_, [this] { return RecipientCheck(control::read<"recipientcheck">(home_)); }),
      recipients_(home_) {}

void Policy::refresh() {
    rcpthosts_.get();
    bad_names_.refresh();
    localiphost_.get();
    defaultdomain_.get();
    senderlogins_.get();
    gate_.refresh();
    if (localsenders_.get() != LocalSenders::off) {
        locals_.get();
        virtualdomains_.get();
    }
    recipientcheck_.get();
    begin_client();
}

std::uint64_t Policy::version() const {
    return rcpthosts_.version() + bad_names_.version() + localiphost_.version() + localsenders_.version() +
           senderlogins_.version() + locals_.version() + virtualdomains_.version() +
           recipientcheck_.version() + gate_.version();
}

void Policy::begin_client() {
    more_opened_ = valid_opened_ = false;
    more_.reset();
    valid_.reset();
}

bool Policy::is_our_postmaster(std::string_view recipient) {
    const mail::AddressParts parts = mail::split_address(recipient);
    return equal_ignoring_case(parts.local, "postmaster") &&
           match_domain(recipient).reason != Reason::foreign_domain;
}

bool Policy::hears_everybody(std::string_view recipient) {
    if (is_our_postmaster(recipient)) return true;
    return equal_ignoring_case(mail::split_address(recipient).local, "abuse") &&
           match_domain(recipient).reason != Reason::foreign_domain;
}

std::string Policy::with_local_name(std::string_view recipient, const Client& client) {
    const mail::AddressParts parts = mail::split_address(recipient);
    const auto literal = mail::address_literal(parts.domain);
    if (!literal || net::canonical_address(*literal) != client.local_ip) return std::string(recipient);
    return std::string(parts.local) + "@" + localiphost_.last();
}

Decision Policy::decide(const Client& client, std::string_view recipient) {
    Inputs inputs;
    inputs.relayclient = client.relayclient;
    inputs.certificate = client.certificate;
    inputs.user = client.user;
    if (!client.relayclient && !client.certificate && !client.user) inputs.domain = match_domain(recipient);
    opensmtp::OpenSmtpFinding finding;
    if (needs_open_smtp(inputs)) {
        finding = find_open_smtp(client);
        inputs.open_smtp = &finding;
    }
    return policy::decide(inputs);
}

LocalSenders Policy::suspects(const Client& client, std::string_view sender) {
    const LocalSenders mode = localsenders_.last();
    if (mode == LocalSenders::off || client.relayclient || client.certificate || client.user)
        return LocalSenders::off;
    const std::string_view domain = mail::split_address(sender).domain;
    if (!locals_.last().contains(domain) && !virtualdomains_.last().contains(domain))
        return LocalSenders::off;
    return find_open_smtp(client).live ? LocalSenders::off : mode;
}

bool Policy::is_delivered_here(std::string_view recipient) {
    const mail::AddressParts parts = mail::split_address(recipient);
    return !parts.has_domain || locals_.last().contains(parts.domain) ||
           virtualdomains_.last().contains(parts.domain);
}

SenderLogins::Mode Policy::rejects_login(std::string_view user, std::string_view sender) {
    const SenderLogins& rules = senderlogins_.last();
    return rules.may_use(user, sender) ? SenderLogins::Mode::off : rules.mode();
}

std::vector<std::string> Policy::senders_of(std::string_view user) {
    return senderlogins_.last().senders_of(user);
}

bool Policy::lists_certificate(const tls::Description& certificate) {
    const auto lines = control::read<"tlsclients">(home_);
    if (lines.empty() || !certificate.peer_verified) return false;
    for (const std::string& line : lines) {
        if (line == certificate.peer_subject) return true;
        for (const std::string& address : certificate.peer_addresses)
            if (equal_ignoring_case(line, address)) return true;
    }
    return false;
}

opensmtp::OpenSmtpFinding Policy::find_open_smtp(const Client& client) {
    return gate_.find(client.ip, opensmtp::Moment::now());
}

std::string Policy::login_of_open_smtp(const Client& client) {
    if (client.relayclient || client.certificate || client.user) return "";
    const opensmtp::OpenSmtpFinding finding = find_open_smtp(client);
    if (!finding.live) return "";
    return auth::canonical_name(finding.entry->user, defaultdomain_.last()).value_or("");
}

DomainMatch Policy::match_domain(std::string_view recipient) {
    const mail::AddressParts parts = mail::split_address(recipient);
    if (!parts.has_domain) return {Reason::no_domain, ""};
    if (auto entry = rcpthosts_.last().match(parts.domain)) return {Reason::rcpthosts, *entry};
    if (auto entry = match_more(parts.domain)) return {Reason::morercpthosts, *entry};
    return {Reason::foreign_domain, std::string(parts.domain)};
}

RecipientCheck::Mode Policy::recipient_check(std::string_view recipient) {
    const RecipientCheck& check = recipientcheck_.last();
    if (check.is_off()) return RecipientCheck::Mode::off;
    return check.mode_of(mail::split_address(recipient).domain);
}

local::RecipientAnswer Policy::find_recipient(std::string_view recipient, Deadline deadline) {
    open_database(valid_, valid_opened_, home_.control_file("validrcptto.cdb"));
    if (!valid_) return recipients_.ask(recipient, deadline);
    const auto lists = [this](const std::string& address) {
        const std::size_t at = address.rfind('@');
        return valid_->find(address) ||
               (at != std::string::npos && valid_->find(std::string_view(address).substr(at)));
    };
    // Other programs make it, with either spelling of a domain.
    if (lists(lower(recipient)) || lists(comparable(recipient))) return local::RecipientAnswer::known;
    // No file lists what qmail-local makes of senders (SRS).
    if (starts_ignoring_case(recipient, "srs0") || starts_ignoring_case(recipient, "srs1"))
        if (const auto answer = recipients_.ask(recipient, deadline);
            answer == local::RecipientAnswer::bounces)
            return answer;
    // The file is about our domains; those who may relay send to others, too.
    return match_domain(recipient).reason == Reason::foreign_domain ? local::RecipientAnswer::elsewhere
                                                                    : local::RecipientAnswer::unknown;
}

// A database that is missing is none.
void Policy::open_database(std::optional<CdbReader>& database, bool& opened, const std::string& path) {
    if (std::exchange(opened, true)) return;
    try {
        database.emplace(path);
    } catch (const Error& error) {
        if (error.number() != ENOENT) throw;
    }
}

// The domain, or the longest ".suffix" of it, in morercpthosts.cdb.
std::optional<std::string> Policy::match_more(std::string_view domain) {
    open_database(more_, more_opened_, home_.control_file("morercpthosts.cdb"));
    if (!more_ || domain.empty()) return std::nullopt;
    const std::string name = comparable(domain);
    if (more_->find(name)) return name;
    for (std::size_t dot = name.find('.'); dot != std::string::npos; dot = name.find('.', dot + 1))
        if (more_->find(std::string_view(name).substr(dot))) return name.substr(dot);
    return std::nullopt;
}

}  // namespace relais::policy
