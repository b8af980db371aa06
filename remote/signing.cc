#include "remote/signing.h"

#include <algorithm>

#include "authres/dkim.h"
#include "authres/dmarc.h"
#include "base/idna.h"

namespace relais::remote {
namespace {

// More addresses than that are no name to sign for.
constexpr std::size_t from_limit = 10;

// The addresses of From, as they were written; none if they are no name to sign for.
std::vector<std::string> names_in_from(const authres::MessageHeader& header) {
    auto list = authres::from_addresses(header);
    if (!list) return {};
    std::vector<std::string> found;
    for (const mail::ListedAddress* each : mail::addresses_of(*list)) found.push_back(each->address());
    return found.size() <= from_limit ? found : std::vector<std::string>{};
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

// A message that passes by to be signed. Behind its header it is known whether there are keys; without them
// the body is of no interest.
class Passing final : public authres::MessageSink {
  public:
    Passing(keyd::MailKeyClient& keys, const SigningLeave& leave, Deadline deadline)
        : keys_(keys), leave_(leave), deadline_(deadline) {}

    void header(const authres::MessageHeader& header) override {
        if (header.too_large) return;
        const std::vector<std::string> domains = signing_domains(header, leave_.submitter);
        if (domains.empty()) return;
        found_ = keys_.find({leave_.token, {domains.begin(), domains.end()}}, deadline_);
        if (has_keys()) signer_.header(header);
    }
    void body(std::string_view data) override {
        if (has_keys()) signer_.body(data);
    }
    bool has_keys() const { return !found_.keys.empty(); }
    const std::string& domain() const { return found_.domain; }

    // The fields, one with each key, behind the whole message.
    std::string fields() {
        std::string fields;
        for (const keyd::MailKeyName& name : found_.keys) {
            KeptKey key(keys_, leave_.token, found_.domain, name, deadline_);
            signer_.set_name(found_.domain, name.selector);
            fields += signer_.finish(key);
        }
        return fields;
    }

  private:
    keyd::MailKeyClient& keys_;
    const SigningLeave& leave_;
    Deadline deadline_;
    authres::DkimSigner signer_{{}};
    keyd::KeysFound found_;
};

}  // namespace

std::vector<std::string> signing_domains(const authres::MessageHeader& header,
                                         const mail::Submitter& submitter) {
    const std::vector<std::string> from = names_in_from(header);
    if (from.empty()) return {};
    std::vector<std::string> domains;
    const auto add = [&](std::string domain) {
        if (!domain.empty() && std::find(domains.begin(), domains.end(), domain) == domains.end())
            domains.push_back(std::move(domain));
    };
    const auto may_use = [&](const std::string& address) { return submitter.may_use_from(address); };
    if (std::all_of(from.begin(), from.end(), may_use)) add(ascii_domain_of(from.front()));
    for (const std::string& domain : submitter.domains()) add(ascii_domain_of(domain));
    return domains;
}

void MailSigner::sign(Message& message, const SigningLeave& leave, Deadline deadline) {
    if (leave.token.empty()) return;
    Passing passing(keys_, leave, deadline);
    authres::MessageReader reader(passing);
    message.read_wire([&](std::string_view piece) {
        reader.add(piece);
        return reader.in_header() || passing.has_keys();
    });
    if (reader.in_header() || passing.has_keys()) reader.finish();
    if (passing.has_keys()) message.precede_with(passing.fields(), passing.domain());
}

}  // namespace relais::remote
