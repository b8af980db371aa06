#include "authres/canonical.h"

#include <algorithm>

#include "base/error.h"
#include "base/text.h"

namespace relais::authres {
namespace {

bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

}  // namespace

std::string_view to_text(Canonical form) {
    return form == Canonical::simple ? "simple" : "relaxed";
}

std::string canonical_field(Canonical form, std::string_view field) {
    if (form == Canonical::simple) return std::string(field);
    const std::size_t colon = field.find(':');
    if (colon == std::string_view::npos) return std::string(field);
    std::string result = lower(field.substr(0, colon));
    while (!result.empty() && is_blank(result.back())) result.pop_back();
    result += ':';
    bool blank = false, any = false;
    for (const char c : field.substr(colon + 1)) {
        if (is_blank(c)) {
            blank = true;
        } else if (c != '\r' && c != '\n') {
            if (blank && any) result += ' ';
            blank = false;
            any = true;
            result += c;
        }
    }
    return result + "\r\n";
}

void CanonicalBody::add(std::string_view data, const Out& out) {
    if (form_ == Canonical::simple)
        add_simple(data, out);
    else
        add_relaxed(data, out);
}

// What was held back turned out not to be the end.
void CanonicalBody::release(const Out& out) {
    static constexpr std::string_view lines = "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n";
    for (; held_lines_ >= 8; held_lines_ -= 8) out(lines);
    if (held_lines_ > 0) out(lines.substr(0, static_cast<std::size_t>(held_lines_) * 2));
    held_lines_ = 0;
    if (held_blank_) out(" ");
    held_blank_ = false;
    any_ = true;
}

void CanonicalBody::add_simple(std::string_view data, const Out& out) {
    std::uint64_t lines = 0;
    while (data.ends_with("\r\n")) {
        data.remove_suffix(2);
        ++lines;
    }
    if (!data.empty()) {
        release(out);
        out(data);
    }
    held_lines_ += lines;
}

void CanonicalBody::add_relaxed(std::string_view data, const Out& out) {
    std::string text;
    const Out gather = [&](std::string_view held) { text += held; };
    const auto flush = [&] {
        if (!text.empty()) out(text);
        text.clear();
    };
    while (!data.empty()) {
        if (data.starts_with("\r\n")) {
            held_blank_ = false;
            ++held_lines_;
            data.remove_prefix(2);
        } else if (is_blank(data.front())) {
            held_blank_ = true;
            data.remove_prefix(1);
        } else {
            // Empty lines may be many: these go out at once.
            if (held_lines_ > 8) flush();
            if (held_lines_ > 8)
                release(out);
            else
                release(gather);
            const std::size_t size = std::min(data.find_first_of(" \t\r", 1), data.size());
            text += data.substr(0, size);
            data.remove_prefix(size);
        }
    }
    flush();
}

void CanonicalBody::finish(const Out& out) {
    if (any_ || form_ == Canonical::simple) out("\r\n");
}

void prepare_cryptography() {
    tls::initialise();
    sha256("");
}

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
    if (!context_ || EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) != 1)
        throw Error(Reaction::temporary, tls::take_errors("unable to begin a hash"));
}

void Sha256::add(std::string_view data) {
    if (EVP_DigestUpdate(context_.get(), data.data(), data.size()) != 1)
        throw Error(Reaction::temporary, tls::take_errors("unable to hash"));
}

std::string Sha256::finish() {
    std::string result(32, '\0');
    if (EVP_DigestFinal_ex(context_.get(), reinterpret_cast<unsigned char*>(result.data()), nullptr) != 1)
        throw Error(Reaction::temporary, tls::take_errors("unable to end a hash"));
    return result;
}

std::string sha256(std::string_view data) {
    Sha256 hash;
    hash.add(data);
    return hash.finish();
}

std::size_t BodyHashes::want(Way way) {
    for (std::size_t i = 0; i < work_.size(); ++i)
        if (work_[i].way == way) return i;
    work_.push_back({way, Sha256(), 0, {}});
    const bool known =
        std::any_of(bodies_.begin(), bodies_.end(), [&](const Body& body) { return body.form == way.form; });
    if (!known) bodies_.push_back({way.form, CanonicalBody(way.form)});
    return work_.size() - 1;
}

void BodyHashes::hash(Canonical form, std::string_view data) {
    for (Work& work : work_) {
        if (work.way.form != form) continue;
        const std::uint64_t left =
            work.way.length ? *work.way.length - std::min(*work.way.length, work.size) : UINT64_MAX;
        work.hash.add(data.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(left, data.size()))));
        work.size += data.size();
    }
}

void BodyHashes::add(std::string_view data) {
    for (Body& body : bodies_) body.body.add(data, [&](std::string_view piece) { hash(body.form, piece); });
}

void BodyHashes::finish() {
    for (Body& body : bodies_) body.body.finish([&](std::string_view piece) { hash(body.form, piece); });
    for (Work& work : work_) work.result = {work.hash.finish(), work.size};
}

}  // namespace relais::authres
