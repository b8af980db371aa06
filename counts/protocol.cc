#include "counts/protocol.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/frame.h"
#include "base/io.h"
#include "base/octets.h"
#include "base/text.h"
#include "base/unix_socket.h"

namespace relais::counts {
namespace {

constexpr std::size_t count_head_size = 13;
constexpr std::size_t mark_head_size = 12;
constexpr std::size_t answer_head_size = 4;
constexpr std::size_t held_login_limit = 200;

bool is_key(std::string_view key) {
    return !key.empty() && key.size() <= key_limit &&
           std::all_of(key.begin(), key.end(), [](char c) { return static_cast<unsigned char>(c) > 32; });
}

// The beginning of a key may be empty.
bool is_beginning(std::string_view text) {
    return text.empty() || is_key(text);
}

std::uint32_t number_at(std::string_view text, std::size_t at) {
    return static_cast<std::uint32_t>(get_le(text, at, 4));
}

bool decode_counts(std::string_view body, std::vector<Count>& counts) {
    while (!body.empty()) {
        if (body.size() < count_head_size || counts.size() == counts_limit) return false;
        const std::size_t length = static_cast<unsigned char>(body[12]);
        if (body.size() < count_head_size + length) return false;
        Count count{std::string(body.substr(count_head_size, length)), number_at(body, 8), number_at(body, 4),
                    number_at(body, 0)};
        if (!is_key(count.key) || count.window == 0) return false;
        counts.push_back(std::move(count));
        body.remove_prefix(count_head_size + length);
    }
    return !counts.empty();
}

bool decode_mark(std::string_view body, Mark& mark) {
    if (body.size() < mark_head_size) return false;
    mark = {std::string(body.substr(mark_head_size)), number_at(body, 0), number_at(body, 4),
            number_at(body, 8)};
    return is_key(mark.key);
}

std::optional<std::uint32_t> number_of(const std::optional<std::string>& answer) {
    if (!answer || answer->size() != 4) return std::nullopt;
    return number_at(*answer, 0);
}

}  // namespace

std::string make_key(std::string_view what, std::string_view of, std::string_view more) {
    std::string key(what);
    key.append(":").append(lower(of));
    if (!more.empty()) key.append(">").append(lower(more));
    for (char& c : key)
        if (static_cast<unsigned char>(c) <= 32) c = '_';
    return key.substr(0, key_limit);
}

std::string held_key(std::string_view login) {
    return make_key(held_logins.substr(0, held_logins.size() - 1), login.substr(0, held_login_limit));
}

std::string_view login_of_hard_budget(std::string_view key) {
    const auto words = split(key, ':');
    if (words.size() != 5 || words[0] != "rate" || words[3] != hard_budget) return {};
    return words[4];
}

std::string encode(const Question& question) {
    std::string body(1, static_cast<char>(question.kind));
    switch (question.kind) {
        case Question::Kind::counts:
        case Question::Kind::hold:
            for (const Count& count : question.counts) {
                append_le(body, count.window, 4);
                append_le(body, count.limit, 4);
                append_le(body, count.amount, 4);
                append_le(body, std::min(count.key.size(), key_limit), 1);
                body.append(count.key, 0, key_limit);
            }
            break;
        case Question::Kind::mark:
        case Question::Kind::seen:
            append_le(body, question.mark.delay, 4);
            append_le(body, question.mark.patience, 4);
            append_le(body, question.mark.lifetime, 4);
            body.append(question.mark.key, 0, key_limit);
            break;
        case Question::Kind::list:
        case Question::Kind::forget:
        case Question::Kind::held:
        case Question::Kind::release:
            body.append(question.beginning, 0, key_limit);
            break;
    }
    std::string out;
    append_le(out, body.size(), question_head_size);
    return out + body;
}

std::optional<Question> decode_question(std::string_view body) {
    if (body.empty()) return std::nullopt;
    Question question;
    question.kind = static_cast<Question::Kind>(body.front());
    body.remove_prefix(1);
    bool good = false;
    switch (question.kind) {
        case Question::Kind::counts:
            good = decode_counts(body, question.counts);
            break;
        case Question::Kind::hold:
            good = decode_counts(body, question.counts) && question.counts.size() == 1;
            break;
        case Question::Kind::mark:
        case Question::Kind::seen:
            good = decode_mark(body, question.mark);
            break;
        case Question::Kind::list:
        case Question::Kind::forget:
            question.beginning = body;
            good = is_beginning(body);
            break;
        case Question::Kind::held:
        case Question::Kind::release:
            question.beginning = body;
            good = is_key(body);
            break;
    }
    return good ? std::optional(std::move(question)) : std::nullopt;
}

std::optional<Question> take_question(std::string& input, bool& broken) {
    return take_frame(input, question_head_size, question_limit, decode_question, broken);
}

std::string encode_answer(std::string_view body) {
    std::string out;
    append_le(out, body.size(), answer_head_size);
    return out.append(body);
}

std::optional<Verdict> Counts::count(const std::vector<Count>& counts, Deadline deadline) {
    if (counts.empty()) return Verdict{};
    const auto answer = ask({Question::Kind::counts, counts, {}, {}}, deadline);
    if (!answer || answer->size() != 5) return std::nullopt;
    const Verdict verdict{number_at(*answer, 0), static_cast<unsigned char>((*answer)[4])};
    return verdict.number < counts.size() ? std::optional(verdict) : std::nullopt;
}

std::optional<std::uint32_t> Counts::mark(const Mark& mark, Deadline deadline) {
    return ask_number({Question::Kind::mark, {}, mark, {}}, deadline);
}

std::optional<std::uint32_t> Counts::seen(const Mark& mark, Deadline deadline) {
    return ask_number({Question::Kind::seen, {}, mark, {}}, deadline);
}

std::optional<std::string> Counts::list(const std::string& beginning, Deadline deadline) {
    return ask({Question::Kind::list, {}, {}, beginning}, deadline);
}

std::optional<std::uint32_t> Counts::forget(const std::string& beginning, Deadline deadline) {
    return ask_number({Question::Kind::forget, {}, {}, beginning}, deadline);
}

std::optional<bool> Counts::hold(const Count& used_up, Deadline deadline) {
    const auto answer = ask_number({Question::Kind::hold, {used_up}, {}, {}}, deadline);
    return answer ? std::optional(*answer != 0) : std::nullopt;
}

std::optional<bool> Counts::is_held(const std::string& key, Deadline deadline) {
    return ask_of(Question::Kind::held, key, deadline);
}

std::optional<bool> Counts::release(const std::string& key, Deadline deadline) {
    return ask_of(Question::Kind::release, key, deadline);
}

std::optional<bool> Counts::ask_of(Question::Kind kind, const std::string& key, Deadline deadline) {
    const auto answer = ask_number({kind, {}, {}, key}, deadline);
    return answer ? std::optional(*answer != 0) : std::nullopt;
}

std::optional<std::uint32_t> Counts::ask_number(const Question& question, Deadline deadline) {
    return number_of(ask(question, deadline));
}

std::optional<std::string> Counts::ask(const Question& question, Deadline deadline) {
    const std::string text = encode(question);
    // A kept connection may be to a server that has been restarted since: then once more on a new one.
    const bool kept = static_cast<bool>(fd_);
    auto answer = try_ask(text, deadline);
    if (!answer && kept && !deadline.passed()) answer = try_ask(text, deadline);
    return answer;
}

std::optional<std::string> Counts::try_ask(std::string_view question, Deadline deadline) {
    try {
        if (!fd_) fd_ = connect_unix(home_.socket("counts"), deadline);
        write_all(fd_.get(), question, deadline);
        std::array<char, answer_head_size> head{};
        if (read_exactly(fd_.get(), head, deadline)) {
            const std::size_t size = get_le({head.data(), head.size()}, 0, answer_head_size);
            std::string body(std::min(size, answer_limit), '\0');
            if (size <= answer_limit && read_exactly(fd_.get(), body, deadline)) return body;
        }
    } catch (const Error&) {
    }
    // An answer that comes too late must not be taken for that of the next question.
    fd_.reset();
    return std::nullopt;
}

}  // namespace relais::counts
