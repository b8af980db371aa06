#include "authres/dkim_signature.h"

#include <algorithm>
#include <map>

#include "authres/dns.h"
#include "authres/tag_list.h"
#include "base/idna.h"
#include "base/text.h"

namespace relais::authres {
namespace {

// Seconds and octets; RFC 6376 allows 76 digits.
std::optional<std::uint64_t> parse_size(std::string_view text) {
    if (text.empty() || text.size() > 76 || text.find_first_not_of("0123456789") != std::string_view::npos)
        return std::nullopt;
    return parse_number(text).value_or(UINT64_MAX);
}

std::optional<Canonical> parse_canonical(std::string_view text) {
    if (equal_ignoring_case(text, "simple")) return Canonical::simple;
    if (equal_ignoring_case(text, "relaxed")) return Canonical::relaxed;
    return std::nullopt;
}

// Each takes some tags; the reason if they cannot be used, else "".
std::string take_algorithm(const TagList& tags, DkimSignature& signature) {
    const std::string algorithm = lower(tags.find("a").value_or(""));
    if (algorithm == "rsa-sha1") return "rsa-sha1 is no longer a signature (RFC 8301)";
    if (algorithm != "rsa-sha256" && algorithm != "ed25519-sha256") return "unknown algorithm";
    if (algorithm == "ed25519-sha256") signature.type = KeyType::ed25519;
    return "";
}

std::string take_forms(const TagList& tags, DkimSignature& signature) {
    const std::string_view forms = tags.find("c").value_or("simple/simple");
    const std::size_t slash = forms.find('/');
    const auto header = parse_canonical(forms.substr(0, slash));
    const auto body = parse_canonical(slash == std::string_view::npos ? "simple" : forms.substr(slash + 1));
    if (!header || !body) return "unknown canonicalization";
    signature.header_form = *header;
    signature.body_form = *body;
    return "";
}

std::string take_names(const TagList& tags, DkimSignature& signature, SignatureKind kind) {
    signature.domain = without_blanks(tags.find("d").value_or(""));
    signature.selector = without_blanks(tags.find("s").value_or(""));
    if (!is_domain_name(signature.domain) || signature.domain.ends_with('.')) return "d= is no domain";
    if (!is_domain_name(signature.selector) || !is_domain_name(signature.key_name()))
        return "s= is no selector";
    signature.identity = "@" + signature.domain;
    if (kind == SignatureKind::arc) return "";
    if (const auto identity = tags.find("i")) {
        const std::size_t at = identity->rfind('@');
        if (at == std::string_view::npos || !is_at_or_below(identity->substr(at + 1), signature.domain))
            return "i= is not within d=";
        signature.identity = *identity;
    }
    const auto methods = tags.find("q");
    return methods && !lists(*methods, "dns/txt") ? "q= has no method that is known" : "";
}

std::string take_fields(const TagList& tags, DkimSignature& signature) {
    signature.fields = split_at_colons(tags.find("h").value_or(""));
    const auto is_from = [](std::string_view name) { return equal_ignoring_case(name, "from"); };
    if (!std::any_of(signature.fields.begin(), signature.fields.end(), is_from)) return "From is not signed";
    return "";
}

std::string take_values(const TagList& tags, DkimSignature& signature) {
    const auto hash = decode_folded_base64(tags.find("bh").value_or(""));
    const auto value = decode_folded_base64(tags.find("b").value_or(""));
    if (!hash || hash->size() != 32) return "bh= is no hash";
    if (!value || value->empty()) return "b= is no signature";
    signature.body_hash = *hash;
    signature.signature = *value;
    for (auto [tag, place] :
         {std::pair{"l", &signature.body_length}, {"t", &signature.time}, {"x", &signature.expiry}}) {
        const auto text = tags.find(tag);
        if (!text) continue;
        *place = parse_size(*text);
        if (!*place) return std::string(tag) + "= is no number";
    }
    if (signature.time && signature.expiry && *signature.expiry <= *signature.time) return "x= is before t=";
    return "";
}

}  // namespace

std::string DkimSignature::key_name() const {
    return ascii_domain(selector + "._domainkey." + domain);
}

std::variant<DkimSignature, BadSignature> parse_signature(std::string_view body, SignatureKind kind) {
    const auto tags = TagList::parse(body);
    if (!tags) return BadSignature{"syntax error"};
    DkimSignature signature;
    signature.signature_text = without_blanks(tags->find("b").value_or(""));
    std::string wrong = take_names(*tags, signature, kind);
    if (wrong.empty() && kind == SignatureKind::dkim && tags->find("v") != "1") wrong = "v= is not 1";
    if (wrong.empty()) wrong = take_algorithm(*tags, signature);
    if (wrong.empty()) wrong = take_forms(*tags, signature);
    if (wrong.empty()) wrong = take_fields(*tags, signature);
    if (wrong.empty()) wrong = take_values(*tags, signature);
    if (!wrong.empty())
        return BadSignature{wrong, signature.domain, signature.selector, signature.signature_text};
    return signature;
}

std::string signed_hash(const DkimSignature& signature, const std::vector<HeaderField>& fields,
                        std::string_view own_text, std::optional<std::size_t> own) {
    // What has not been used, the topmost first.
    std::map<std::string, std::vector<std::size_t>> left;
    for (std::size_t i = 0; i < fields.size(); ++i)
        if (i != own) left[lower(fields[i].name)].push_back(i);
    Sha256 hash;
    for (const std::string& name : signature.fields) {
        const auto found = left.find(lower(name));
        if (found == left.end() || found->second.empty()) continue;
        hash.add(canonical_field(signature.header_form, fields[found->second.back()].text));
        found->second.pop_back();
    }
    std::string last = canonical_field(signature.header_form, without_signature(own_text));
    if (last.ends_with("\r\n")) last.resize(last.size() - 2);
    hash.add(last);
    return hash.finish();
}

void FieldWriter::fold() {
    text_ += "\r\n\t";
    column_ = 8;
}

void FieldWriter::add(std::string_view word) {
    if (column_ + 1 + word.size() > 77) {
        fold();
    } else {
        text_ += ' ';
        ++column_;
    }
    text_ += word;
    column_ += word.size();
}

void FieldWriter::append(std::string_view word) {
    if (column_ + word.size() > 77) fold();
    text_ += word;
    column_ += word.size();
}

void FieldWriter::append_folded(std::string_view text) {
    while (!text.empty()) {
        if (column_ >= 77) fold();
        const std::string_view part = text.substr(0, 77 - column_);
        text_ += part;
        column_ += part.size();
        text.remove_prefix(part.size());
    }
}

}  // namespace relais::authres
