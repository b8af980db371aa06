#include "smtpd/policy.h"

#include "base/error.h"
#include "base/text.h"
#include "mail/address.h"
#include "net/socket.h"

namespace relais::smtpd {
namespace {

std::unordered_set<std::string> read_names(const control::Home& home, std::string_view file) {
    std::unordered_set<std::string> names;
    for (const std::string& line : control::read_lines(home, file).value_or(std::vector<std::string>()))
        names.insert(lower(line));
    return names;
}

}  // namespace

Policy::Policy(control::Home home)
    : home_(std::move(home)),
      rcpthosts_(home_.control_file("rcpthosts"),
                 [this] {
                     return control::DomainSet(
                         control::read_lines(home_, "rcpthosts").value_or(std::vector<std::string>()));
                 }),
      badmailfrom_(home_.control_file("badmailfrom"), [this] { return read_names(home_, "badmailfrom"); }),
      localiphost_(home_.control_file("localiphost"),
                   [this] { return control::read_line_or_me(home_, "localiphost"); }) {}

void Policy::refresh() {
    rcpthosts_.get();
    badmailfrom_.get();
    localiphost_.get();
    more_opened_ = false;
    more_.reset();
}

bool Policy::is_bad_sender(std::string_view sender) {
    const Names& bad = badmailfrom_.last();
    if (bad.empty() || sender.empty()) return false;
    const std::string name = lower(sender);
    if (bad.contains(name)) return true;
    const std::size_t at = name.rfind('@');
    return at != std::string::npos && bad.contains(name.substr(at));
}

bool Policy::is_our_postmaster(std::string_view recipient) {
    const mail::AddressParts parts = mail::split_address(recipient);
    return equal_ignoring_case(parts.local, "postmaster") && decide_by_domain(recipient).accepted;
}

std::string Policy::with_local_name(std::string_view recipient, const Client& client) {
    const mail::AddressParts parts = mail::split_address(recipient);
    const auto literal = mail::address_literal(parts.domain);
    if (!literal || net::canonical_address(*literal) != client.local_ip) return std::string(recipient);
    return std::string(parts.local) + "@" + localiphost_.last();
}

RelayDecision Policy::decide(const Client& client, std::string_view recipient) {
    if (client.relayclient) return {true, RelayReason::client_rule, *client.relayclient};
    return decide_by_domain(recipient);
}

RelayDecision Policy::decide_by_domain(std::string_view recipient) {
    const mail::AddressParts parts = mail::split_address(recipient);
    if (!parts.has_domain) return {true, RelayReason::no_domain, ""};
    if (auto entry = rcpthosts_.last().match(parts.domain)) return {true, RelayReason::rcpthosts, *entry};
    if (auto entry = match_more(parts.domain)) return {true, RelayReason::morercpthosts, *entry};
    return {false, RelayReason::foreign_domain, std::string(parts.domain)};
}

// The domain, or the longest ".suffix" of it, in morercpthosts.cdb.
std::optional<std::string> Policy::match_more(std::string_view domain) {
    if (!more_opened_) {
        more_opened_ = true;
        try {
            more_.emplace(home_.control_file("morercpthosts.cdb"));
        } catch (const Error& error) {
            if (error.number() != ENOENT) throw;
        }
    }
    if (!more_ || domain.empty()) return std::nullopt;
    const std::string name = lower(domain);
    if (more_->find(name)) return name;
    for (std::size_t dot = name.find('.'); dot != std::string::npos; dot = name.find('.', dot + 1))
        if (more_->find(std::string_view(name).substr(dot))) return name.substr(dot);
    return std::nullopt;
}

}  // namespace relais::smtpd
