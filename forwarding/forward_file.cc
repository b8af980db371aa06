#include "forwarding/forward_file.h"

#include "base/error.h"
#include "base/text.h"
#include "mail/address_list.h"

namespace relais::forwarding {
namespace {

[[noreturn]] void refuse(const std::string& what) {
    throw Error(Reaction::temporary, what);
}

mail::AddressList read_line(std::string_view line) {
    auto list = mail::parse_address_list(line);
    if (!list) refuse("unable to parse this line: " + std::string(line));
    for (const mail::ListEntry& entry : *list)
        if (entry.group) refuse("groups and :include: are not supported: " + std::string(line));
    return *std::move(list);
}

}  // namespace

ForwardFile parse_forward_file(std::string_view text, std::string_view user, std::string_view host,
                               const inject::Rewriter& rewriter) {
    ForwardFile file;
    for (const std::string_view line : split(text, '\n')) {
        if (line.starts_with('#')) continue;
        mail::AddressList list = read_line(line);
        for (mail::ListedAddress* address : mail::addresses_of(list)) {
            if (address->local.empty() && address->domain.empty()) continue;
            if (!address->has_domain && address->local.starts_with('|')) {
                file.commands.push_back(address->local.substr(1));
            } else if (!address->has_domain && address->local.starts_with('/')) {
                refuse("file delivery " + address->local + " not supported");
            } else if (equal_ignoring_case(address->local, user) &&
                       (!address->has_domain || equal_ignoring_case(address->domain, host))) {
                file.to_user = true;
            } else {
                rewriter.complete(*address);
                file.recipients.push_back(address->address());
            }
        }
    }
    return file;
}

}  // namespace relais::forwarding
