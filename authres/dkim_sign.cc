#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "authres/dkim.h"
#include "base/error.h"
#include "base/text.h"
#include "sasl/base64.h"

namespace relais::authres {
namespace {

bool has_name(const std::vector<std::string>& names, std::string_view name) {
    return std::any_of(names.begin(), names.end(),
                       [&](const std::string& other) { return equal_ignoring_case(other, name); });
}

}  // namespace

std::vector<std::string> DkimSigning::default_fields() {
    return {"From",
            "Sender",
            "Reply-To",
            "Subject",
            "Date",
            "Message-ID",
            "To",
            "Cc",
            "MIME-Version",
            "Content-Type",
            "Content-Transfer-Encoding",
            "In-Reply-To",
            "References",
            "Resent-Date",
            "Resent-From",
            "Resent-To",
            "Resent-Cc",
            "List-Id",
            "List-Help",
            "List-Unsubscribe",
            "List-Unsubscribe-Post",
            "List-Subscribe",
            "List-Post",
            "List-Owner",
            "List-Archive"};
}

std::vector<std::string> names_to_sign(const DkimSigning& signing, const std::vector<HeaderField>& fields) {
    std::vector<std::string> names;
    const auto add = [&](const std::string& name, bool once_more) {
        const auto count = std::count_if(fields.begin(), fields.end(), [&](const HeaderField& field) {
            return equal_ignoring_case(field.name, name);
        });
        names.insert(names.end(), static_cast<std::size_t>(count) + (once_more ? 1 : 0), lower(name));
    };
    for (const std::string& name : signing.fields) add(name, has_name(signing.oversigned, name));
    for (const std::string& name : signing.oversigned)
        if (!has_name(signing.fields, name)) add(name, true);
    return names;
}

void DkimSigner::header(const MessageHeader& header) {
    header_ = &header;
    body_ = hashes_.want({signing_.body_form, std::nullopt});
}

void DkimSigner::set_name(std::string domain, std::string selector) {
    signing_.domain = std::move(domain);
    signing_.selector = std::move(selector);
}

std::string DkimSigner::finish(SigningKey& key) {
    if (!header_ || header_->too_large) throw_permanent("unable to sign: the header is too large");
    const auto is_from = [](const HeaderField& field) { return equal_ignoring_case(field.name, "from"); };
    if (!std::any_of(header_->fields.begin(), header_->fields.end(), is_from))
        throw_permanent("unable to sign: the message has no From");
    if (!std::exchange(hashed_, true)) hashes_.finish();
    DkimSignature signature;
    signature.header_form = signing_.header_form;
    signature.fields = names_to_sign(signing_, header_->fields);
    FieldWriter writer("DKIM-Signature");
    writer.add("v=1;");
    writer.add(fmt::format("a={};", algorithm_of(key.type())));
    writer.add(fmt::format("c={}/{};", to_text(signing_.header_form), to_text(signing_.body_form)));
    writer.add(fmt::format("d={};", signing_.domain));
    writer.add(fmt::format("s={};", signing_.selector));
    if (!signing_.identity.empty()) writer.add(fmt::format("i={};", signing_.identity));
    if (signing_.time) writer.add(fmt::format("t={};", *signing_.time));
    if (signing_.expiry) writer.add(fmt::format("x={};", *signing_.expiry));
    for (std::size_t i = 0; i < signature.fields.size(); ++i) {
        const std::string end = i + 1 < signature.fields.size() ? ":" : ";";
        if (i == 0)
            writer.add("h=" + signature.fields[i] + end);
        else
            writer.append(signature.fields[i] + end);
    }
    writer.add("bh=" + sasl::encode_base64(hashes_.result(body_).hash) + ";");
    writer.add("b=");
    const std::string hash = signed_hash(signature, header_->fields, writer.text() + "\r\n", std::nullopt);
    writer.append_folded(sasl::encode_base64(key.sign(hash)));
    return writer.text() + "\r\n";
}

}  // namespace relais::authres
