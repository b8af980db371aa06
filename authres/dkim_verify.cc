#include <fmt/core.h>

#include "authres/dkim.h"
#include "base/error.h"
#include "base/printable.h"
#include "base/text.h"

namespace relais::authres {
namespace {

using net::DnsStatus;

// A name may have other TXT records; a key changes places with another one by being published beside it.
constexpr std::size_t key_limit = 4;

std::string identity_domain(const DkimSignature& signature) {
    return signature.identity.substr(signature.identity.rfind('@') + 1);
}

KeyVerdict verify_with_record(KeyType type, std::string_view signature, std::string_view hash,
                              const KeyRecord& record, bool identity_below_domain) {
    KeyVerdict verdict{DkimResult::permerror, "", record.testing};
    if (record.type != type) {
        verdict.reason =
            fmt::format("the key is of {}, the signature of {}", to_text(record.type), to_text(type));
    } else if (record.exact_identity && identity_below_domain) {
        verdict.reason = "the key is not for subdomains, and i= is one";
    } else {
        const auto key = PublicKey::make(type, record.key);
        if (const auto* bad = std::get_if<BadKey>(&key)) {
            verdict.reason = bad->reason;
        } else {
            const bool right = std::get<PublicKey>(key).verify(hash, signature);
            verdict.result = right ? DkimResult::pass : DkimResult::fail;
            verdict.reason =
                fmt::format("{} by a {}-bit {} key",
                            right ? "good signature" : "the signature does not match the header, seen",
                            std::get<PublicKey>(key).bits(), to_text(type));
        }
    }
    return verdict;
}

}  // namespace

std::string_view to_text(DkimResult result) {
    switch (result) {
        case DkimResult::pass:
            return "pass";
        case DkimResult::fail:
            return "fail";
        case DkimResult::permerror:
            return "permerror";
        case DkimResult::temperror:
            break;
    }
    return "temperror";
}

KeyVerdict verify_with_key(KeyType type, std::string_view signature, std::string_view hash,
                           const net::DnsAnswer& answer, bool identity_below_domain) {
    switch (answer.status) {
        case DnsStatus::found:
            break;
        case DnsStatus::no_such_name:
        case DnsStatus::no_such_record:
            return {DkimResult::permerror, "there is no key record"};
        case DnsStatus::bogus:
        case DnsStatus::failed:
            return {DkimResult::temperror, "no answer from DNS for the key"};
    }
    KeyVerdict verdict{DkimResult::permerror, "there is no key record"};
    for (std::size_t i = 0; i < answer.records.size() && i < key_limit; ++i) {
        const auto record = parse_key_record(answer.records[i].text);
        KeyVerdict next{DkimResult::permerror, ""};
        if (const auto* bad = std::get_if<BadKey>(&record))
            next.reason = bad->reason;
        else
            next =
                verify_with_record(type, signature, hash, std::get<KeyRecord>(record), identity_below_domain);
        // The most telling of them counts.
        if (i == 0 || next.result == DkimResult::pass ||
            (next.result == DkimResult::fail && verdict.result != DkimResult::pass))
            verdict = std::move(next);
        if (verdict.result == DkimResult::pass) break;
    }
    return verdict;
}

KeyVerdict verify_with_key(const DkimSignature& signature, std::string_view hash,
                           const net::DnsAnswer& answer) {
    const bool below = !equal_ignoring_case(identity_domain(signature), signature.domain);
    return verify_with_key(signature.type, signature.signature, hash, answer, below);
}

void DkimVerifier::header(const MessageHeader& header, BodyHashes& hashes) {
    header_ = &header;
    for (std::size_t i = 0; i < header.fields.size(); ++i) {
        if (!equal_ignoring_case(header.fields[i].name, "DKIM-Signature")) continue;
        if (work_.size() == dkim_signature_limit)
            ++ignored_;
        else
            work_.push_back(take(i, hashes));
    }
}

DkimVerifier::Work DkimVerifier::take(std::size_t field, BodyHashes& hashes) const {
    Work work;
    work.field = field;
    auto parsed = parse_signature(header_->fields[field].body(), SignatureKind::dkim);
    DkimVerdict& verdict = work.verdict;
    if (const auto* bad = std::get_if<BadSignature>(&parsed)) {
        verdict.reason = bad->reason;
        verdict.domain = printable(bad->domain);
        verdict.selector = printable(bad->selector);
        verdict.signature_begin = printable(bad->signature_text.substr(0, 8));
        return work;
    }
    work.signature = std::get<DkimSignature>(std::move(parsed));
    verdict.domain = printable(work.signature.domain);
    verdict.selector = printable(work.signature.selector);
    verdict.identity = printable(work.signature.identity);
    verdict.algorithm = algorithm_of(work.signature.type);
    verdict.signature_begin = work.signature.signature_text.substr(0, 8);
    work.usable = !header_->too_large;
    if (!work.usable) verdict.reason = "the header is too large to be verified";
    work.body = hashes.want({work.signature.body_form, work.signature.body_length});
    return work;
}

void DkimVerifier::check_before_key(Work& work, const BodyHashes& hashes, std::int64_t now) {
    if (!work.usable) return;
    const DkimSignature& signature = work.signature;
    const auto& body = hashes.result(work.body);
    work.usable = false;
    if (signature.body_length && *signature.body_length > body.size) {
        work.verdict.reason = "l= is longer than the body";
    } else if (body.hash != signature.body_hash) {
        work.verdict.result = DkimResult::fail;
        work.verdict.reason = "the body has changed: its hash is another";
    } else if (signature.expiry && now > 0 && *signature.expiry < static_cast<std::uint64_t>(now)) {
        work.verdict.result = DkimResult::fail;
        work.verdict.reason = "the signature has expired";
    } else {
        work.usable = true;
    }
    if (signature.body_length && *signature.body_length < body.size)
        work.verdict.unsigned_octets = body.size - *signature.body_length;
}

DkimReport DkimVerifier::finish(Dns& dns, const BodyHashes& hashes, std::int64_t now, Deadline deadline) {
    std::vector<net::DnsQuestion> questions;
    for (Work& work : work_) {
        check_before_key(work, hashes, now);
        if (work.usable) questions.push_back({net::RecordType::txt, work.signature.key_name()});
    }
    const auto answers = questions.empty() ? std::vector<net::DnsAnswer>() : dns.ask_all(questions, deadline);
    DkimReport report;
    report.ignored = ignored_;
    std::size_t next = 0;
    for (Work& work : work_) {
        if (work.usable) {
            const std::string& own = header_->fields[work.field].text;
            const std::string hash = signed_hash(work.signature, header_->fields, own, work.field);
            auto [result, reason, testing] = verify_with_key(work.signature, hash, answers[next++]);
            work.verdict.result = result;
            work.verdict.reason = std::move(reason);
            work.verdict.testing = testing;
            if (result == DkimResult::pass && work.verdict.unsigned_octets > 0)
                work.verdict.reason +=
                    fmt::format(", but not of the last {} octets of the body", work.verdict.unsigned_octets);
        }
        report.signatures.push_back(std::move(work.verdict));
    }
    return report;
}

}  // namespace relais::authres
