#include "auth/login_name.h"

#include "base/text.h"

namespace relais::auth {
namespace {

bool may_name(std::string_view part) {
    for (const char c : part)
        if (c <= ' ' || c >= '\x7f' || c == '/' || c == ':' || c == '@') return false;
    return !part.empty() && part.front() != '.';
}

}  // namespace

std::optional<std::string> canonical_name(std::string_view login, std::string_view default_domain) {
    std::size_t at = login.rfind('@');
    if (at == std::string_view::npos) at = login.rfind('%');
    const std::string_view user = login.substr(0, at);
    std::string_view domain = at == std::string_view::npos ? default_domain : login.substr(at + 1);
    if (domain.ends_with('.')) domain.remove_suffix(1);
    if (!may_name(user) || !may_name(domain) || user.size() + 1 + domain.size() > account_name_limit)
        return std::nullopt;
    return lower(user) + "@" + lower(domain);
}

}  // namespace relais::auth
