#include "remote/signing.h"

#include <algorithm>

#include "authres/dkim.h"
#include "authres/idna.h"
#include "base/text.h"
#include "mail/address_list.h"

namespace relais::remote {
namespace {

// More addresses than that are no name to sign for.
constexpr std::size_t from_limit = 10;

// The addresses of the only From; none if there are several, or it cannot be read.
std::vector<std::string> from_addresses(const authres::MessageHeader& header) {
    const authres::HeaderField* from = nullptr;
    for (const authres::HeaderField& field : header.fields) {
        if (!equal_ignoring_case(field.name, "From")) continue;
        if (from != nullptr) return {};
        from = &field;
    }
    if (from == nullptr) return {};
    auto list = mail::parse_address_list(from->body());
    if (!list) return {};
    std::vector<std::string> found;
    for (const mail::ListedAddress* each : mail::addresses_of(*list)) found.push_back(each->address());
    return found.size() <= from_limit ? found : std::vector<std::string>{};
}

std::string domain_of(std::string_view address) {
    std::string_view domain = address.substr(address.rfind('@') + 1);
    if (domain.ends_with('.')) domain.remove_suffix(1);
    return lower(authres::ascii_domain(domain));
}

// A key that is in qmail-keyd.
class KeptKey final : public authres::SigningKey {
  public:
    KeptKey(keyd::MailKeyClient& keys, const std::string& token, const std::string& domain,
            const keyd::MailKeyName& name, Deadline deadline)
        : keys_(keys), token_(token), domain_(domain), name_(name), deadline_(deadline) {}
    authres::KeyType type() const override { return name_.type; }
    std::string sign(std::string_view hash) override {
        return keys_.sign({token_, domain_, name_.selector, hash}, deadline_);
    }

  private:
    keyd::MailKeyClient& keys_;
    const std::string& token_;
    const std::string& domain_;
    const keyd::MailKeyName& name_;
    Deadline deadline_;
};

}  // namespace

std::vector<std::string> signing_domains(const authres::MessageHeader& header,
                                         const mail::Submitter& submitter) {
    const std::vector<std::string> from = from_addresses(header);
    if (from.empty()) return {};
    std::vector<std::string> domains;
    const auto add = [&](std::string domain) {
        if (!domain.empty() && std::find(domains.begin(), domains.end(), domain) == domains.end())
            domains.push_back(std::move(domain));
    };
    const auto may_use = [&](const std::string& address) { return submitter.may_use_from(address); };
    if (std::all_of(from.begin(), from.end(), may_use)) add(domain_of(from.front()));
    for (const std::string& domain : submitter.domains()) add(domain_of(domain));
    return domains;
}

void MailSigner::sign(Message& message, const SigningLeave& leave, Deadline deadline) {
    if (leave.token.empty()) return;
    authres::DkimSigner signer({});
    authres::MessageReader reader(signer);
    message.read_wire([&](std::string_view piece) { reader.add(piece); });
    reader.finish();
    if (reader.header().too_large) return;
    const std::vector<std::string> domains = signing_domains(reader.header(), leave.submitter);
    if (domains.empty()) return;
    const keyd::KeysFound found = keys_.find({leave.token, {domains.begin(), domains.end()}}, deadline);
    std::string fields;
    for (const keyd::MailKeyName& name : found.keys) {
        KeptKey key(keys_, leave.token, found.domain, name, deadline);
        signer.set_name(found.domain, name.selector);
        fields += signer.finish(key);
    }
    if (!fields.empty()) message.precede_with(std::move(fields), found.domain);
}

}  // namespace relais::remote
