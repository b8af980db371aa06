#include <fmt/core.h>

#include "authres/arc.h"
#include "base/error.h"
#include "base/text.h"
#include "sasl/base64.h"

namespace relais::authres {
namespace {

// On a line of its own, whole as long as a line may have it (RFC 5322, 2.1.1): the seal covers blanks in it
// too, and not all verifiers are right about folds.
std::string folded_signature(std::string_view signature) {
    constexpr std::size_t room = 900;
    std::string text = "b=" + std::string(signature.substr(0, room));
    for (std::size_t at = room; at < signature.size(); at += room)
        text.append("\r\n\t").append(signature.substr(at, room));
    return text;
}

// A field "NAME: a=...; b=...; rest": signs its text without a signature.
template <class Hash>
std::string signed_field(std::string_view name, SigningKey& key, std::string_view rest, const Hash& hash) {
    const std::string head = fmt::format("{}: a={};\r\n\t", name, algorithm_of(key.type()));
    const std::string tail = fmt::format(";\r\n\t{}\r\n", rest);
    const std::string signature = sasl::encode_base64(key.sign(hash(head + "b=" + tail)));
    return head + folded_signature(signature) + tail;
}

std::string time_tag(const std::optional<std::uint64_t>& time) {
    return time ? fmt::format("; t={}", *time) : "";
}

}  // namespace

void ArcSealer::header(const MessageHeader& header) {
    header_ = &header;
    body_ = hashes_.want({Canonical::relaxed, std::nullopt});
}

std::string ArcSealer::signature_field(SigningKey& key, unsigned instance) {
    DkimSignature signature;
    signature.header_form = Canonical::relaxed;
    DkimSigning signing;
    signing.fields = settings_.fields;
    signing.oversigned.clear();
    signature.fields = names_to_sign(signing, header_->fields);
    FieldWriter names("");
    for (const std::string& name : signature.fields)
        names.append(name + (&name == &signature.fields.back() ? "" : ":"));
    const std::string rest =
        fmt::format("bh={};\r\n\tc=relaxed/relaxed; d={};\r\n\th={}; i={}; s={}{}",
                    sasl::encode_base64(hashes_.result(body_).hash), settings_.domain, names.text().substr(1),
                    instance, settings_.selector, time_tag(settings_.time));
    return signed_field("ARC-Message-Signature", key, rest, [&](const std::string& own) {
        return signed_hash(signature, header_->fields, own, std::nullopt);
    });
}

std::string ArcSealer::seal_field(SigningKey& key, unsigned instance, const ArcOutcome& verified,
                                  const std::string& results_field,
                                  const std::string& signature_field) const {
    std::vector<HeaderField> fields = header_->fields;
    std::vector<ArcSet> sets;
    std::string why;
    // The seal on a broken chain covers its own set alone (RFC 8617, 5.1.2).
    if (verified.result == ArcResult::pass) sets = arc_sets(fields, why).value_or(std::vector<ArcSet>());
    fields.push_back({"", results_field});
    fields.push_back({"", signature_field});
    sets.push_back({fields.size() - 2, fields.size() - 1, std::nullopt});
    const std::string_view validation = to_text(verified.result);
    const std::string rest = fmt::format("cv={}; d={}; i={}; s={}{}", validation, settings_.domain, instance,
                                         settings_.selector, time_tag(settings_.time));
    return signed_field("ARC-Seal", key, rest,
                        [&](const std::string& own) { return arc_seal_hash(fields, sets, own); });
}

std::string ArcSealer::finish(SigningKey& key, std::string_view results, const ArcOutcome& verified) {
    if (!header_ || header_->too_large) throw_permanent("unable to seal: the header is too large");
    unsigned last = 0;
    for (const HeaderField& field : header_->fields)
        if (starts_ignoring_case(field.name, "ARC-")) last = std::max(last, arc_instance(field).value_or(0));
    if (verified.ended || last >= arc_set_limit || verified.result == ArcResult::temperror) return "";
    hashes_.finish();
    const unsigned instance = last + 1;
    const std::string results_field = fmt::format("ARC-Authentication-Results: i={}; {};\r\n\t{}\r\n",
                                                  instance, settings_.server, trim(results));
    const std::string signature = signature_field(key, instance);
    return seal_field(key, instance, verified, results_field, signature) + signature + results_field;
}

}  // namespace relais::authres
