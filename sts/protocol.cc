#include "sts/protocol.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/frame.h"
#include "base/io.h"
#include "base/octets.h"
#include "base/text.h"
#include "base/unix_socket.h"
#include "net/dns_name.h"

namespace relais::sts {
namespace {

constexpr std::size_t ends_size = 8;

bool is_id(std::string_view id) {
    return id.size() <= id_limit && std::all_of(id.begin(), id.end(), [](char c) {
               return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
           });
}

}  // namespace

bool is_domain(std::string_view domain) {
    return domain.size() <= domain_limit && net::is_askable_name(domain) && !domain.ends_with('.') &&
           domain.find('/') == std::string_view::npos && domain.find('.') != std::string_view::npos &&
           lower(domain) == domain;
}

std::string encode(const Question& question) {
    const std::string_view id = std::string_view(question.id).substr(0, id_limit);
    const std::string_view domain = std::string_view(question.domain).substr(0, domain_limit);
    std::string out;
    append_le(out, 1 + id.size() + domain.size(), question_head_size);
    append_le(out, id.size(), 1);
    return out.append(id).append(domain);
}

std::optional<Question> decode_question(std::string_view body) {
    if (body.empty() || body.size() > question_limit) return std::nullopt;
    const std::size_t length = get_le(body, 0, 1);
    body.remove_prefix(1);
    if (length > body.size()) return std::nullopt;
    Question question{std::string(body.substr(length)), std::string(body.substr(0, length))};
    if (!is_id(question.id) || !is_domain(question.domain)) return std::nullopt;
    return question;
}

std::optional<Question> take_question(std::string& input, bool& broken) {
    return take_frame(input, question_head_size, question_limit, decode_question, broken);
}

std::string encode(const Found& found) {
    std::string body;
    if (found.state == Found::State::policy) {
        body = "P";
        append_le(body, static_cast<std::uint64_t>(found.ends), ends_size);
        body += text_of(found.policy);
    } else {
        body = "N" + found.reason.substr(0, reason_limit);
    }
    std::string out;
    append_le(out, body.size(), answer_head_size);
    return out.append(body);
}

std::optional<Found> decode_answer(std::string_view body) {
    if (body.empty() || body.size() > answer_limit) return std::nullopt;
    const char kind = body.front();
    body.remove_prefix(1);
    Found found;
    if (kind == 'N' && body.size() <= reason_limit) {
        found.state = Found::State::none;
        found.reason = body;
        return found;
    }
    if (kind != 'P' || body.size() < ends_size) return std::nullopt;
    found.state = Found::State::policy;
    found.ends = static_cast<std::int64_t>(get_le(body, 0, ends_size));
    auto policy = parse_policy(body.substr(ends_size));
    if (!policy) return std::nullopt;
    found.policy = *std::move(policy);
    return found;
}

Found Policies::ask(const Question& question, Deadline deadline) {
    const std::string text = encode(question);
    // A kept connection may be to a server that has been restarted since: then once more on a new one.
    const bool kept = static_cast<bool>(fd_);
    auto found = try_ask(text, deadline);
    if (!found && kept && !deadline.passed()) found = try_ask(text, deadline);
    return found ? *std::move(found) : Found{};
}

std::optional<Found> Policies::try_ask(std::string_view question, Deadline deadline) {
    try {
        if (!fd_) fd_ = connect_unix(home_.socket("sts"), deadline);
        write_all(fd_.get(), question, deadline);
        std::array<char, answer_head_size> head{};
        if (read_exactly(fd_.get(), head, deadline)) {
            const std::size_t size = get_le({head.data(), head.size()}, 0, answer_head_size);
            std::string body(std::min(size, answer_limit), '\0');
            if (size <= answer_limit && read_exactly(fd_.get(), body, deadline))
                if (auto found = decode_answer(body)) return found;
        }
    } catch (const Error&) {
        // As if it had not answered.
    }
    fd_.reset();
    return std::nullopt;
}

}  // namespace relais::sts
