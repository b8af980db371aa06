#include "auth/protocol.h"

#include <cstring>
#include <limits>

#include "base/text.h"

namespace relais::auth {
namespace {

constexpr std::size_t groups_limit = 1024;

// The length in front of a body; nothing if the body is too long.
std::string framed(std::string body, std::size_t limit) {
    if (body.size() > limit) return {};
    std::string all;
    all.reserve(2 + body.size());
    all += static_cast<char>(body.size() & 0xff);
    all += static_cast<char>(body.size() >> 8);
    all += body;
    ::explicit_bzero(body.data(), body.size());
    return all;
}

// The fields behind the first octet, each ended by a NUL; nothing if their number is another.
std::optional<std::vector<std::string_view>> fields_of(std::string_view body, std::size_t count) {
    if (body.size() < 2 || body.back() != '\0') return std::nullopt;
    body.remove_prefix(1);
    body.remove_suffix(1);
    std::vector<std::string_view> fields = split(body, '\0');
    if (fields.size() != count) return std::nullopt;
    return fields;
}

std::optional<std::uint32_t> parse_id(std::string_view text) {
    const auto number = parse_number(text);
    if (!number || *number >= std::numeric_limits<std::uint32_t>::max()) return std::nullopt;
    return static_cast<std::uint32_t>(*number);
}

std::string joined(const std::vector<gid_t>& groups) {
    std::string text;
    for (const gid_t group : groups) text.append(text.empty() ? "" : ",").append(std::to_string(group));
    return text;
}

std::optional<std::vector<gid_t>> parse_groups(std::string_view text) {
    std::vector<gid_t> groups;
    if (text.empty()) return groups;
    for (const std::string_view word : split(text, ',')) {
        const auto group = parse_id(word);
        if (!group || groups.size() == groups_limit) return std::nullopt;
        groups.push_back(*group);
    }
    return groups;
}

bool is_known(RequestKind kind) {
    switch (kind) {
        case RequestKind::password:
        case RequestKind::cram_md5:
        case RequestKind::scram_salt:
        case RequestKind::scram_proof:
        case RequestKind::token:
        case RequestKind::methods:
        case RequestKind::watch:
            return true;
    }
    return false;
}

}  // namespace

Answer answer_of(Result result, std::string text) {
    Answer answer;
    answer.result = result;
    answer.text = std::move(text);
    return answer;
}

std::string encode_request(const Request& request) {
    std::string body;
    body.reserve(6 + request.user.size() + request.service.size() + request.address.size() +
                 request.challenge.size() + request.secret.size());
    body += static_cast<char>(request.kind);
    for (const std::string_view field :
         {request.user, request.service, request.address, request.challenge, request.secret}) {
        if (field.find('\0') != std::string_view::npos || body.size() + field.size() + 1 > request_limit) {
            ::explicit_bzero(body.data(), body.size());
            return {};
        }
        body.append(field).append(1, '\0');
    }
    return framed(std::move(body), request_limit);
}

std::optional<Request> decode_request(std::string_view body) {
    if (body.size() > request_limit) return std::nullopt;
    const auto fields = fields_of(body, 5);
    if (!fields) return std::nullopt;
    const auto kind = static_cast<RequestKind>(body[0]);
    if (!is_known(kind)) return std::nullopt;
    return Request{kind, (*fields)[0], (*fields)[1], (*fields)[2], (*fields)[3], (*fields)[4]};
}

std::string encode_answer(const Answer& answer) {
    std::string body(1, static_cast<char>(answer.result));
    for (const std::string& field :
         {answer.name, std::to_string(answer.uid), std::to_string(answer.gid), joined(answer.groups),
          answer.home, answer.shell, answer.maildir, answer.text})
        body.append(field).append(1, '\0');
    return framed(std::move(body), answer_limit);
}

std::optional<Answer> decode_answer(std::string_view body) {
    if (body.size() > answer_limit) return std::nullopt;
    const auto fields = fields_of(body, 8);
    if (!fields) return std::nullopt;
    const auto result = static_cast<Result>(body[0]);
    if (result != Result::right && result != Result::refused && result != Result::temporary)
        return std::nullopt;
    const auto uid = parse_id((*fields)[1]);
    const auto gid = parse_id((*fields)[2]);
    const auto groups = parse_groups((*fields)[3]);
    if (!uid || !gid || !groups) return std::nullopt;
    const auto text = [&](std::size_t index) { return std::string((*fields)[index]); };
    return Answer{result, text(0), *uid, *gid, *groups, text(4), text(5), text(6), text(7)};
}

}  // namespace relais::auth
