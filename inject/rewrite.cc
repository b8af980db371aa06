#include "inject/rewrite.h"

#include "base/error.h"
#include "base/text.h"
#include "mail/address.h"

namespace relais::inject {

void Rewriter::complete(mail::ListedAddress& address) const {
    if (address.domain == "[]") return;
    while (address.domain.ends_with('.')) address.domain.pop_back();
    if (address.domain.empty()) address.has_domain = false;
    if (address.local.empty() && !address.has_domain) return;
    if (!address.has_domain) address.domain = default_host;
    address.has_domain = true;
    std::string& domain = address.domain;
    if (domain.find('[') == std::string::npos) {
        if (domain.ends_with('+')) {
            domain.back() = '.';
            domain += plus_domain;
        }
        if (domain.find('.') == std::string::npos) domain.append(".").append(default_domain);
    }
    if (address.address().find_first_of(std::string_view("\0\n", 2)) != std::string::npos)
        throw_permanent("unable to parse address: " + safe_for_log(address.address()));
}

std::string Rewriter::completed(std::string_view address) const {
    const mail::AddressParts parts = mail::split_address(address);
    mail::ListedAddress result;
    result.local = parts.local;
    result.domain = parts.domain;
    result.has_domain = parts.has_domain;
    complete(result);
    return result.address();
}

}  // namespace relais::inject
