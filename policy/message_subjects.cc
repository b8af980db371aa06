#include "policy/message_subjects.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "authres/dns.h"
#include "base/error.h"
#include "base/hexadecimal.h"
#include "base/idna.h"
#include "base/text.h"
#include "mail/address.h"
#include "mail/address_list.h"
#include "sasl/base64.h"

namespace relais::policy {
namespace {

// Of a line, of a field with its folds, of text that is looked at together. What is longer is cut in pieces,
// and a URI there may be missed.
constexpr std::size_t line_limit = 8192;
constexpr std::size_t field_limit = 16384;
constexpr std::size_t shown_limit = 16384;
constexpr std::size_t authority_limit = 512;
constexpr std::size_t most_boundaries = 50;

bool is_letter_or_digit(char c) {
    const char l = lower(c);
    return (l >= 'a' && l <= 'z') || (l >= '0' && l <= '9') || static_cast<unsigned char>(c) >= 128;
}

bool ends_authority(char c) {
    return static_cast<unsigned char>(c) <= ' ' ||
           std::string_view("/?#<>\"'\\()[]{},;|`^").find(c) != std::string_view::npos;
}

// Where a URI's authority begins in text from at on, or npos: behind "http://", "https://", or at "www.".
std::size_t find_authority(std::string_view text, std::size_t at) {
    for (; at < text.size(); ++at) {
        const char c = lower(text[at]);
        if (c != 'h' && c != 'w') continue;
        const std::string_view rest = text.substr(at);
        if (starts_ignoring_case(rest, "http://")) return at + 7;
        if (starts_ignoring_case(rest, "https://")) return at + 8;
        const bool begins =
            at == 0 || !(is_letter_or_digit(text[at - 1]) || text[at - 1] == '.' || text[at - 1] == '-');
        if (begins && starts_ignoring_case(rest, "www.")) return at;
    }
    return std::string_view::npos;
}

bool is_host_of_domain(std::string_view host) {
    if (host.find('.') == std::string_view::npos || !authres::is_domain_name(host)) return false;
    const bool plain = std::all_of(host.begin(), host.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
    });
    // An address is no domain.
    const char last = host.back();
    return plain && !(last >= '0' && last <= '9');
}

// The parameter of a Content-Type; "" if there is none.
std::string boundary_of(std::string_view body) {
    constexpr std::string_view name = "boundary=";
    const std::size_t at = lower(body).find(name);
    if (at == std::string::npos) return "";
    body.remove_prefix(at + name.size());
    if (body.starts_with('"')) return std::string(body.substr(1, body.find('"', 1) - 1));
    return std::string(body.substr(0, body.find_first_of("; \t")));
}

std::string without_quoted_printable(std::string_view line) {
    std::string text;
    for (std::size_t i = 0; i < line.size(); ++i) {
        unsigned octet = 0;
        const char* const digits = line.data() + i + 1;
        if (line[i] == '=' && i + 2 < line.size() &&
            std::from_chars(digits, digits + 2, octet, 16).ptr == digits + 2) {
            text += static_cast<char>(octet);
            i += 2;
        } else {
            text += line[i];
        }
    }
    return text;
}

void add_once(std::vector<std::string>& list, std::string text, std::size_t most) {
    if (list.size() < most && std::find(list.begin(), list.end(), text) == list.end())
        list.push_back(std::move(text));
}

}  // namespace

void MessageSubjects::add(std::string_view text) {
    text = text.substr(0, looked_at - std::min(looked_at, size_));
    size_ += text.size();
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        line_ += text.substr(0, end);
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        if (end == std::string_view::npos && line_.size() < line_limit) return;
        if (line_.ends_with('\r')) line_.pop_back();
        take_line(line_);
        line_.clear();
    }
}

void MessageSubjects::finish() {
    if (!line_.empty()) take_line(line_);
    line_.clear();
    if (in_header_) end_field();
    look_at("", true);
}

void MessageSubjects::take_line(std::string_view line) {
    if (in_header_) return take_header_line(line);
    const bool ends_part = std::any_of(boundaries_.begin(), boundaries_.end(), [&](const std::string& each) {
        return line.starts_with("--") && line.substr(2).starts_with(each);
    });
    if (ends_part) {
        look_at("", true);
        encoded_.clear();
        in_header_ = true;
        of_message_ = false;
        is_text_ = true;
        encoding_ = Encoding::none;
        return;
    }
    if (is_text_) take_body_line(line);
}

void MessageSubjects::take_header_line(std::string_view line) {
    // Behind the last boundary there is no header, and a reader may be shown it.
    if (!of_message_) look_at(std::string(line) + "\n", false);
    if (!line.empty() && (line.front() == ' ' || line.front() == '\t')) {
        if (field_.size() < field_limit) field_.append(" ").append(trim(line));
        return;
    }
    end_field();
    const bool is_field = line.find(':') != std::string_view::npos;
    if (is_field) {
        field_ = line;
        return;
    }
    in_header_ = false;
    if (!line.empty()) take_line(line);
}

void MessageSubjects::end_field() {
    const std::string field = std::exchange(field_, "");
    const std::size_t colon = field.find(':');
    if (colon == std::string::npos) return;
    const std::string_view name = trim(std::string_view(field).substr(0, colon));
    const std::string_view body = trim(std::string_view(field).substr(colon + 1));
    if (equal_ignoring_case(name, "Content-Transfer-Encoding"))
        encoding_ = equal_ignoring_case(body, "base64")             ? Encoding::base64
                    : equal_ignoring_case(body, "quoted-printable") ? Encoding::quoted_printable
                                                                    : Encoding::none;
    if (equal_ignoring_case(name, "Content-Type")) {
        is_text_ = starts_ignoring_case(body, "text") || starts_ignoring_case(body, "multipart") ||
                   starts_ignoring_case(body, "message");
        if (std::string boundary = boundary_of(body); !boundary.empty())
            add_once(boundaries_, std::move(boundary), most_boundaries);
    }
    if (!of_message_ || !(equal_ignoring_case(name, "From") || equal_ignoring_case(name, "Reply-To"))) return;
    auto list = mail::parse_address_list(body);
    if (!list) return;
    for (const mail::ListedAddress* address : mail::addresses_of(*list))
        if (address->has_domain && !address->local.empty())
            add_once(addresses_, lower(address->local) + "@" + ascii_domain(address->domain), most_addresses);
}

void MessageSubjects::take_body_line(std::string_view line) {
    if (encoding_ == Encoding::quoted_printable) {
        const std::string_view bare = line.substr(0, line.find_last_not_of(" \t") + 1);
        const bool goes_on = bare.ends_with('=');
        return look_at(without_quoted_printable(goes_on ? bare.substr(0, bare.size() - 1) : line) +
                           (goes_on ? "" : "\n"),
                       false);
    }
    if (encoding_ == Encoding::none) return look_at(std::string(line) + "\n", false);
    encoded_ += trim(line);
    const std::size_t whole = encoded_.size() / 4 * 4;
    // What is no base64 hides nothing that a reader would see.
    const auto octets = sasl::decode_base64(std::string_view(encoded_).substr(0, whole));
    encoded_.erase(0, whole);
    if (octets) look_at(*octets, false);
}

void MessageSubjects::look_at(std::string_view text, bool whole) {
    shown_ += text;
    // A URI ends where the text is cut; what may go on waits.
    std::size_t end = shown_.size();
    if (!whole && shown_.size() < shown_limit)
        while (end > 0 && !ends_authority(shown_[end - 1])) --end;
    const std::string_view seen = std::string_view(shown_).substr(0, end);
    for (std::size_t at = find_authority(seen, 0); at < seen.size(); at = find_authority(seen, at)) {
        std::size_t last = at;
        while (last < seen.size() && last - at < authority_limit && !ends_authority(seen[last])) ++last;
        take_uri(seen.substr(at, last - at));
        at = std::max(last, at + 1);
    }
    // "http://" itself has what ends a piece.
    const std::size_t kept =
        whole ? end : std::min(end, shown_.size() < 8 ? 0 : std::max(end, std::size_t{8}) - 8);
    shown_.erase(0, kept);
}

void MessageSubjects::take_uri(std::string_view authority) {
    authority.remove_prefix(authority.rfind('@') + 1);
    authority = authority.substr(0, authority.find(':'));
    while (authority.ends_with('.')) authority.remove_suffix(1);
    std::string host = ascii_domain(authority);
    if (is_host_of_domain(host)) add_once(hosts_, std::move(host), most_hosts);
}

std::vector<std::string> names_of_hosts(const std::vector<std::string>& hosts, std::size_t most) {
    std::vector<std::string> names;
    for (const std::string& host : hosts) {
        const auto labels = split(host, '.');
        for (const std::size_t count : {std::size_t{2}, std::size_t{3}, labels.size()}) {
            if (count > labels.size()) continue;
            const char* const begin = labels[labels.size() - count].data();
            add_once(names, std::string(begin, host.data() + host.size()), most);
        }
    }
    return names;
}

std::string address_hash(std::string_view address) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    const std::string small = lower(address);
    if (EVP_Digest(small.data(), small.size(), digest.data(), &size, EVP_sha1(), nullptr) != 1)
        throw Error(Reaction::temporary, "unable to calculate the hash of an address");
    return hexadecimal({reinterpret_cast<const char*>(digest.data()), size});
}

}  // namespace relais::policy
