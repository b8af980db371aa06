#include "send/rewrite.h"

#include "base/idna.h"
#include "base/text.h"
#include "control/setting.h"

namespace relais::send {
namespace {

constexpr std::string_view verp_mark = "-@[]";

std::unordered_set<std::string> lower_case_set(const std::vector<std::string>& lines) {
    std::unordered_set<std::string> set;
    for (const std::string& line : lines) set.insert(comparable(line));
    return set;
}

}  // namespace

RewriteRules::RewriteRules(std::string envnoathost, const std::vector<std::string>& locals,
                           const std::vector<std::string>& percenthack,
                           const std::vector<std::string>& virtualdomains)
    : envnoathost_(std::move(envnoathost)),
      locals_(lower_case_set(locals)),
      percenthack_(lower_case_set(percenthack)) {
    for (const std::string& line : virtualdomains) {
        const std::size_t colon = line.find(':');
        if (colon != std::string::npos)
            virtualdomains_.insert_or_assign(comparable(line.substr(0, colon)), line.substr(colon + 1));
    }
}

RewriteRules RewriteRules::read(const control::Home& home) {
    return {control::read<"envnoathost">(home), control::read<"locals">(home),
            control::read<"percenthack">(home), control::read<"virtualdomains">(home)};
}

bool RewriteRules::is_local(std::string_view domain) const {
    return locals_.contains(comparable(domain));
}

bool RewriteRules::has_percenthack(std::string_view domain) const {
    return !percenthack_.empty() && percenthack_.contains(comparable(domain));
}

const std::string* RewriteRules::virtual_prefix(std::string_view address) const {
    const VirtualDomain* found = virtual_domain(address);
    return found == nullptr ? nullptr : &found->second;
}

const RewriteRules::VirtualDomain* RewriteRules::virtual_domain(std::string_view address) const {
    if (virtualdomains_.empty()) return nullptr;
    const std::string name = comparable(address);
    const auto look = [&](std::size_t from) {
        const auto found = virtualdomains_.find(name.substr(from));
        return found == virtualdomains_.end() ? nullptr : &*found;
    };
    if (const auto* line = look(0)) return line;
    const std::size_t domain = name.rfind('@') + 1;
    if (const auto* line = look(domain)) return line;
    for (std::size_t dot = name.find('.', domain); dot != std::string::npos; dot = name.find('.', dot + 1))
        if (const auto* line = look(dot)) return line;
    return look(name.size());
}

std::string destination_name(const Route& route) {
    return comparable(route.is_local() ? route.plain : route.host);
}

std::string user_name(const Route& route) {
    const std::string_view local = std::string_view(route.address).substr(0, route.address.rfind('@'));
    return lower(local.substr(0, local.find('-')));
}

Route rewrite(const RewriteRules& rules, std::string_view recipient, RewriteTrace* trace) {
    Route route;
    std::string& address = route.address;
    address = recipient;
    if (address.find('@') == std::string::npos) {
        address.append("@").append(rules.envnoathost());
        if (trace != nullptr) trace->added_host = true;
    }
    std::size_t at = address.rfind('@');
    while (rules.has_percenthack(std::string_view(address).substr(at + 1))) {
        const std::size_t percent = at == 0 ? std::string::npos : address.rfind('%', at - 1);
        if (percent == std::string::npos) break;
        address.resize(at);
        address[percent] = '@';
        at = percent;
        if (trace != nullptr) trace->percenthack.push_back(address);
    }
    route.plain = address;
    if (rules.is_local(std::string_view(address).substr(at + 1))) {
        route.channel = Channel::local;
        return route;
    }
    const RewriteRules::VirtualDomain* line = rules.virtual_domain(address);
    if (trace != nullptr) trace->virtual_domain = line;
    if (line != nullptr && !line->second.empty()) {
        route.channel = Channel::local;
        address.insert(0, line->second + "-");
        return route;
    }
    route.host = dns_spelling(std::string_view(address).substr(at + 1));
    return route;
}

bool is_verp(std::string_view sender) {
    if (!sender.ends_with(verp_mark)) return false;
    return verp_base(sender).find('@') != std::string_view::npos;
}

std::string_view verp_base(std::string_view sender) {
    return sender.substr(0, sender.size() - verp_mark.size());
}

std::string expand_verp(std::string_view sender, std::string_view recipient) {
    const std::size_t at = recipient.rfind('@');
    if (!is_verp(sender) || at == std::string_view::npos) return std::string(sender);
    const std::string_view base = verp_base(sender);
    const std::size_t base_at = base.rfind('@');
    std::string expanded(base.substr(0, base_at));
    expanded.append(recipient.substr(0, at)).append("=").append(recipient.substr(at + 1));
    return expanded.append(base.substr(base_at));
}

}  // namespace relais::send
