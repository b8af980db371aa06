#include "milter/protocol.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/io.h"
#include "base/octets.h"
#include "mail/address.h"

namespace relais::milter {
namespace {

constexpr std::size_t text_limit = 1100;

void put(std::string& out, std::string_view text) {
    out.append(text.substr(0, text.find('\0'))) += '\0';
}

void put_short(std::string& out, std::string_view text) {
    put(out, text.substr(0, text_limit));
}

std::optional<std::string> take(std::string_view& data) {
    const std::size_t end = data.find('\0');
    if (end == std::string_view::npos) return std::nullopt;
    std::string text(data.substr(0, end));
    data.remove_prefix(end + 1);
    return text;
}

std::optional<bool> take_flag(std::string_view& data) {
    if (data.empty() || (data[0] != '0' && data[0] != '1')) return std::nullopt;
    const bool flag = data[0] == '1';
    data.remove_prefix(1);
    return flag;
}

}  // namespace

std::string encode_facts(const Facts& facts) {
    std::string out;
    for (const auto& [name, value] : facts) {
        if (value.empty() || out.size() + name.size() + value.size() + 2 > facts_limit) continue;
        put(out, name);
        put_short(out, value);
    }
    return out;
}

std::optional<Facts> decode_facts(std::string_view body) {
    if (body.size() > facts_limit) return std::nullopt;
    Facts facts;
    while (!body.empty()) {
        auto name = take(body);
        auto value = name ? take(body) : std::nullopt;
        if (!value || name->empty() || value->empty() || value->size() > text_limit) return std::nullopt;
        facts.emplace_back(*std::move(name), *std::move(value));
    }
    return facts;
}

std::string_view fact(const Facts& facts, std::string_view name) {
    for (const auto& [each, value] : facts)
        if (each == name) return value;
    return "";
}

std::string encode_verdict(const Verdict& verdict) {
    std::string out(1, static_cast<char>(verdict.kind));
    for (const std::string_view text : {verdict.reply, verdict.who, verdict.why}) put_short(out, text);
    return out;
}

std::optional<Verdict> decode_verdict(std::string_view body) {
    if (body.empty() || std::string_view("prd").find(body[0]) == std::string_view::npos) return std::nullopt;
    Verdict verdict{static_cast<Verdict::Kind>(body[0])};
    body.remove_prefix(1);
    for (std::string* const text : {&verdict.reply, &verdict.who, &verdict.why}) {
        auto said = take(body);
        if (!said || said->size() > text_limit) return std::nullopt;
        *text = *std::move(said);
    }
    const bool says_no = verdict.reply.size() > 4 && (verdict.reply[0] == '4' || verdict.reply[0] == '5');
    if (!body.empty() || (verdict.kind == Verdict::Kind::refuse) != says_no) return std::nullopt;
    return verdict;
}

std::string encode_recipient(const RecipientQuestion& question) {
    std::string out(question.exempt ? "1" : "0");
    put(out, question.address);
    put_short(out, question.parameters);
    return out;
}

std::optional<RecipientQuestion> decode_recipient(std::string_view body) {
    const auto exempt = take_flag(body);
    auto address = exempt ? take(body) : std::nullopt;
    auto parameters = address ? take(body) : std::nullopt;
    if (!parameters || !body.empty() || address->empty() || parameters->size() > text_limit)
        return std::nullopt;
    return RecipientQuestion{*exempt, *std::move(address), *std::move(parameters)};
}

std::string encode_outcome(const Outcome& outcome) {
    std::string out(outcome.hold ? "1" : "0");
    put_short(out, outcome.hold_reason);
    put_short(out, outcome.changes);
    put(out, outcome.sender);
    for (const std::string& recipient : outcome.recipients) put(out, recipient);
    return out;
}

std::optional<Outcome> decode_outcome(std::string_view body) {
    Outcome outcome;
    const auto hold = take_flag(body);
    if (!hold) return std::nullopt;
    outcome.hold = *hold;
    for (std::string* const text : {&outcome.hold_reason, &outcome.changes, &outcome.sender}) {
        auto said = take(body);
        if (!said || said->size() > std::max(text_limit, mail::address_limit)) return std::nullopt;
        *text = *std::move(said);
    }
    while (!body.empty()) {
        auto recipient = take(body);
        if (!recipient || recipient->empty() || recipient->size() > mail::address_limit) return std::nullopt;
        outcome.recipients.push_back(*std::move(recipient));
    }
    return outcome;
}

std::optional<std::size_t> frame_length(std::string_view head, std::string_view kinds) {
    if (head.size() != frame_head_size || kinds.find(head[0]) == std::string_view::npos) return std::nullopt;
    const std::size_t length = get_le(head, 1, 4);
    const std::size_t limit = head[0] == 'T' ? piece_limit : head[0] == 'N' ? frame_limit : facts_limit;
    return length <= limit ? std::optional(length) : std::nullopt;
}

void write_frame(int fd, char kind, std::string_view body, Deadline deadline) {
    std::string head(1, kind);
    append_le(head, body.size(), frame_head_size - 1);
    if (body.size() > 4096) {
        write_all(fd, head, deadline);
        return write_all(fd, body, deadline);
    }
    write_all(fd, head.append(body), deadline);
}

std::optional<Frame> read_frame(int fd, std::string_view kinds, Deadline deadline) {
    std::array<char, frame_head_size> head{};
    if (!read_exactly(fd, head, deadline)) return std::nullopt;
    const auto length = frame_length({head.data(), head.size()}, kinds);
    if (!length) throw_errno("read", "a frame about milters", EPROTO);
    Frame frame{head[0], std::string(*length, '\0')};
    if (*length > 0 && !read_exactly(fd, frame.body, deadline))
        throw_errno("read", "a frame about milters", EPIPE);
    return frame;
}

}  // namespace relais::milter
