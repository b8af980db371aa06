#include "explain/provider.h"

#include <array>
#include <utility>

#include "base/text.h"

namespace relais::explain {
namespace {

constexpr std::array<std::pair<std::string_view, std::string_view>, 10> same = {{
    {"googlemail.com", "google.com"},
    {"psmtp.com", "google.com"},
    {"smtp.goog", "google.com"},
    {"microsoft.com", "outlook.com"},
    {"hotmail.com", "outlook.com"},
    {"office365.com", "outlook.com"},
    {"yandex.ru", "yandex.net"},
    {"ovh.com", "ovh.net"},
    {"ovh.ca", "ovh.net"},
    {"messagingengine.com", "fastmail.com"},
}};

// "co.uk", "com.br", "asso.fr": names below which organisations register, without a list of them all.
bool is_public(std::string_view second, std::string_view top) {
    if (top.size() != 2) return false;
    for (const std::string_view each :
         {"ac", "asso", "co", "com", "edu", "gob", "gouv", "gov", "msk", "ne", "net", "or", "org", "spb"})
        if (second == each) return true;
    return false;
}

}  // namespace

std::string provider_of(std::string_view host) {
    const std::string name = lower(host);
    const auto labels = split(name, '.');
    if (labels.size() < 2) return name;
    std::size_t kept = 2;
    if (labels.size() > 2 && is_public(labels[labels.size() - 2], labels.back())) kept = 3;
    std::string result;
    for (std::size_t i = labels.size() - kept; i < labels.size(); ++i)
        result.append(result.empty() ? "" : ".").append(labels[i]);
    for (const auto& [alias, provider] : same)
        if (result == alias) return std::string(provider);
    return result;
}

}  // namespace relais::explain
