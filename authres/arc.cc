#include "authres/arc.h"

#include <fmt/core.h>

#include <algorithm>

#include "authres/tag_list.h"
#include "base/printable.h"
#include "base/text.h"

namespace relais::authres {
namespace {

constexpr std::string_view results_name = "ARC-Authentication-Results";
constexpr std::string_view signature_name = "ARC-Message-Signature";
constexpr std::string_view seal_name = "ARC-Seal";

// Where a field of this name belongs in a set; nullptr for other fields.
std::optional<std::size_t> ArcSet::*place_of(std::string_view name) {
    if (equal_ignoring_case(name, results_name)) return &ArcSet::results;
    if (equal_ignoring_case(name, signature_name)) return &ArcSet::signature;
    if (equal_ignoring_case(name, seal_name)) return &ArcSet::seal;
    return nullptr;
}

}  // namespace

std::string_view to_text(ArcResult result) {
    switch (result) {
        case ArcResult::none:
            return "none";
        case ArcResult::pass:
            return "pass";
        case ArcResult::fail:
            return "fail";
        case ArcResult::temperror:
            break;
    }
    return "temperror";
}

std::optional<unsigned> arc_instance(const HeaderField& field) {
    std::string_view text;
    std::optional<TagList> tags;
    if (equal_ignoring_case(field.name, results_name)) {
        // Not a tag list: only its beginning is.
        const std::string_view first = field.body().substr(0, field.body().find(';'));
        const std::size_t equals = first.find('=');
        if (equals == std::string_view::npos || trim(first.substr(0, equals)) != "i") return std::nullopt;
        text = trim(first.substr(equals + 1));
    } else {
        tags = TagList::parse(field.body());
        if (tags) text = tags->find("i").value_or("");
    }
    const auto number = parse_number(text);
    if (!number || *number < 1 || *number > arc_set_limit) return std::nullopt;
    return static_cast<unsigned>(*number);
}

std::optional<std::vector<ArcSet>> arc_sets(const std::vector<HeaderField>& fields, std::string& why) {
    std::vector<ArcSet> sets;
    for (std::size_t i = 0; i < fields.size(); ++i) {
        const auto place = place_of(fields[i].name);
        if (!place) continue;
        const auto instance = arc_instance(fields[i]);
        if (!instance) {
            why = printable(fields[i].name) + " has no instance from 1 to 50";
            return std::nullopt;
        }
        if (sets.size() < *instance) sets.resize(*instance);
        auto& field = sets[*instance - 1].*place;
        if (field) {
            why = fmt::format("instance {} has two fields {}", *instance, printable(fields[i].name));
            return std::nullopt;
        }
        field = i;
    }
    for (std::size_t i = 0; i < sets.size(); ++i) {
        if (sets[i].results && sets[i].signature && sets[i].seal) continue;
        why = fmt::format("instance {} is not complete", i + 1);
        return std::nullopt;
    }
    return sets;
}

std::optional<ArcSeal> parse_arc_seal(std::string_view body) {
    const auto tags = TagList::parse(body);
    if (!tags || tags->find("h")) return std::nullopt;
    ArcSeal seal;
    const std::string algorithm = lower(tags->find("a").value_or(""));
    if (algorithm != "rsa-sha256" && algorithm != "ed25519-sha256") return std::nullopt;
    if (algorithm == "ed25519-sha256") seal.type = KeyType::ed25519;
    seal.domain = without_blanks(tags->find("d").value_or(""));
    seal.selector = without_blanks(tags->find("s").value_or(""));
    seal.validation = lower(tags->find("cv").value_or(""));
    const auto signature = decode_folded_base64(tags->find("b").value_or(""));
    if (!signature || signature->empty()) return std::nullopt;
    seal.signature = *signature;
    if (!is_domain_name(seal.domain) || !is_domain_name(seal.selector + "._domainkey." + seal.domain))
        return std::nullopt;
    return seal;
}

std::string arc_seal_hash(const std::vector<HeaderField>& fields, const std::vector<ArcSet>& sets,
                          std::string_view seal_text) {
    Sha256 hash;
    for (std::size_t i = 0; i < sets.size(); ++i) {
        hash.add(canonical_field(Canonical::relaxed, fields[*sets[i].results].text));
        hash.add(canonical_field(Canonical::relaxed, fields[*sets[i].signature].text));
        if (i + 1 < sets.size()) hash.add(canonical_field(Canonical::relaxed, fields[*sets[i].seal].text));
    }
    std::string last = canonical_field(Canonical::relaxed, without_signature(seal_text));
    if (last.ends_with("\r\n")) last.resize(last.size() - 2);
    hash.add(last);
    return hash.finish();
}

ArcOutcome& ArcVerifier::fail(std::string why) {
    outcome_.result = ArcResult::fail;
    outcome_.reason = std::move(why);
    return outcome_;
}

void ArcVerifier::header(const MessageHeader& header, BodyHashes& hashes) {
    header_ = &header;
    std::string why;
    auto sets = arc_sets(header.fields, why);
    if (!sets) {
        fail(why);
        return;
    }
    sets_ = *std::move(sets);
    outcome_.sets = static_cast<unsigned>(sets_.size());
    if (sets_.empty()) {
        outcome_.reason = "the message has no ARC set";
        return;
    }
    if (header.too_large) {
        fail("the header is too large to be verified");
        return;
    }
    take_seals();
    if (outcome_.result == ArcResult::fail) return;
    auto parsed = parse_signature(header.fields[*sets_.back().signature].body(), SignatureKind::arc);
    if (const auto* bad = std::get_if<BadSignature>(&parsed)) {
        fail("the newest ARC-Message-Signature: " + bad->reason);
        return;
    }
    newest_ = std::get<DkimSignature>(std::move(parsed));
    const auto is_seal = [](std::string_view name) { return equal_ignoring_case(name, seal_name); };
    if (std::any_of(newest_.fields.begin(), newest_.fields.end(), is_seal)) {
        fail("the newest ARC-Message-Signature covers a seal");
        return;
    }
    body_ = hashes.want({newest_.body_form, newest_.body_length});
    usable_ = true;
}

void ArcVerifier::take_seals() {
    for (std::size_t i = 0; i < sets_.size(); ++i) {
        auto seal = parse_arc_seal(header_->fields[*sets_[i].seal].body());
        if (!seal) {
            fail(fmt::format("the seal of instance {} cannot be read", i + 1));
            return;
        }
        outcome_.sealers.push_back(printable(seal->domain));
        const bool newest = i + 1 == sets_.size();
        if (newest && seal->validation == "fail") {
            outcome_.ended = true;
            fail("the newest seal says that the chain is broken");
            return;
        }
        if (seal->validation != (i == 0 ? "none" : "pass")) {
            fail(fmt::format("the seal of instance {} has a wrong cv=", i + 1));
            return;
        }
        seals_.push_back(*std::move(seal));
    }
}

std::string ArcVerifier::check_newest(const BodyHashes& hashes) const {
    const auto& body = hashes.result(body_);
    if (newest_.body_length && *newest_.body_length > body.size) return "l= is longer than the body";
    return body.hash == newest_.body_hash
               ? ""
               : "the body has changed since the newest ARC set: its hash is another";
}

ArcOutcome ArcVerifier::finish(Dns& dns, const BodyHashes& hashes, Deadline deadline) {
    if (!usable_) return outcome_;
    if (std::string why = check_newest(hashes); !why.empty()) return fail(std::move(why));
    std::vector<net::DnsQuestion> questions{{net::RecordType::txt, newest_.key_name()}};
    for (const ArcSeal& seal : seals_)
        questions.push_back({net::RecordType::txt, seal.selector + "._domainkey." + seal.domain});
    const auto answers = dns.ask_all(questions, deadline);
    const std::size_t field = *sets_.back().signature;
    const auto& fields = header_->fields;
    KeyVerdict verdict =
        verify_with_key(newest_, signed_hash(newest_, fields, fields[field].text, field), answers.front());
    std::string what = "the newest ARC-Message-Signature";
    for (std::size_t i = seals_.size(); i > 0 && verdict.result == DkimResult::pass; --i) {
        const std::vector<ArcSet> covered(sets_.begin(), sets_.begin() + static_cast<std::ptrdiff_t>(i));
        const std::string hash = arc_seal_hash(fields, covered, fields[*sets_[i - 1].seal].text);
        verdict = verify_with_key(seals_[i - 1].type, seals_[i - 1].signature, hash, answers[i], false);
        what = fmt::format("the seal of instance {}", i);
    }
    if (verdict.result == DkimResult::pass) {
        outcome_.result = ArcResult::pass;
        outcome_.reason = fmt::format("{} good set{}, the newest of {}", sets_.size(),
                                      sets_.size() == 1 ? "" : "s", outcome_.sealers.back());
        return outcome_;
    }
    fail(what + ": " + verdict.reason);
    if (verdict.result == DkimResult::temperror) outcome_.result = ArcResult::temperror;
    return outcome_;
}

}  // namespace relais::authres
