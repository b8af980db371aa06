#include "console/protocol.h"

#include <algorithm>

#include "base/frame.h"
#include "base/octets.h"
#include "base/text.h"
#include "net/socket.h"

namespace relais::console {
namespace {

constexpr std::size_t length_size = 4;
constexpr std::string_view status_names[] = {"done", "login", "refused", "wrong", "busy", "failed"};

bool is_plain(std::string_view text) {
    return text.size() <= argument_limit && !text.starts_with('-') &&
           std::all_of(text.begin(), text.end(),
                       [](char c) { return static_cast<unsigned char>(c) >= ' ' && c != '\x7f'; });
}

// Of at most 19 digits: that fits.
bool is_id(std::string_view text) {
    return !text.empty() && text.size() <= 19 && parse_number(text).has_value();
}

std::string fault_of_ids(const Question& question, std::size_t first) {
    for (std::size_t i = first; i < question.arguments.size(); ++i)
        if (!is_id(question.arguments[i])) return "this is no number of a message";
    return "";
}

std::string fault_of_filter(const Fields& arguments) {
    if (std::find(std::begin(queue_states), std::end(queue_states), arguments[2]) == std::end(queue_states))
        return "there is no such state";
    return std::all_of(arguments.begin(), arguments.end(), is_plain)
               ? ""
               : "that cannot be looked for: it is too long, or has octets that no address has";
}

std::string fault_of_person(const Fields& arguments) {
    const std::string &act = arguments[0], &whom = arguments[1];
    if (std::find(std::begin(person_acts), std::end(person_acts), act) == std::end(person_acts))
        return "there is no such act";
    if (act == "close") {
        // The /64 of an IPv6 address may be open as a whole.
        const std::string_view address(whom);
        const bool network = address.ends_with("/64") && address.find(':') != std::string_view::npos;
        return net::canonical_address(network ? address.substr(0, address.size() - 3) : address)
                   ? ""
                   : "this is no address of a client";
    }
    // queue-list takes patterns: nobody else's mail is held by a name.
    return !whom.empty() && is_plain(whom) && whom.find_first_of("*?") == std::string::npos
               ? ""
               : "this is no login";
}

}  // namespace

std::string pack(const Fields& fields) {
    std::string text;
    for (const std::string& field : fields) {
        append_le(text, field.size(), length_size);
        text += field;
    }
    return text;
}

std::optional<Fields> unpack(std::string_view octets) {
    Fields fields;
    while (!octets.empty()) {
        if (octets.size() < length_size) return std::nullopt;
        const std::size_t length = get_le(octets, 0, length_size);
        octets.remove_prefix(length_size);
        if (octets.size() < length) return std::nullopt;
        fields.emplace_back(octets.substr(0, length));
        octets.remove_prefix(length);
    }
    return fields;
}

std::string pack_rows(const Rows& rows) {
    Fields packed;
    for (const Fields& row : rows) packed.push_back(pack(row));
    return pack(packed);
}

std::optional<Rows> unpack_rows(std::string_view octets) {
    const auto packed = unpack(octets);
    if (!packed) return std::nullopt;
    Rows rows;
    for (const std::string& each : *packed) {
        auto row = unpack(each);
        if (!row) return std::nullopt;
        rows.push_back(*std::move(row));
    }
    return rows;
}

std::string frame(const Fields& fields) {
    const std::string payload = pack(fields);
    std::string text;
    append_le(text, payload.size(), length_size);
    return text + payload;
}

std::optional<Fields> take_frame(std::string& input, std::size_t limit, bool& broken) {
    return relais::take_frame(input, length_size, limit, unpack, broken);
}

std::string_view role_name(Role role) {
    return role == Role::operating ? "operator" : "read-only";
}

std::optional<Role> parse_role(std::string_view word) {
    if (word == "operator") return Role::operating;
    if (word == "read-only") return Role::reader;
    return std::nullopt;
}

const VerbRow& row_of(Verb verb) {
    return *std::find_if(std::begin(verbs), std::end(verbs),
                         [&](const VerbRow& row) { return row.verb == verb; });
}

std::string encode(const Question& question) {
    Fields fields = {std::to_string(question.id),
                     std::string(row_of(question.verb).name),
                     question.session,
                     question.live ? "live" : "",
                     question.token,
                     question.client};
    fields.insert(fields.end(), question.arguments.begin(), question.arguments.end());
    return frame(fields);
}

std::optional<Question> decode_question(const Fields& fields) {
    constexpr std::size_t head = 6;
    if (fields.size() < head) return std::nullopt;
    const auto id = parse_number(fields[0]);
    const auto* row = std::find_if(std::begin(verbs), std::end(verbs),
                                   [&](const VerbRow& each) { return each.name == fields[1]; });
    const std::size_t count = fields.size() - head;
    if (!id || row == std::end(verbs) || count < row->least || count > row->most) return std::nullopt;
    return Question{*id,
                    row->verb,
                    fields[2],
                    fields[3] == "live",
                    fields[4],
                    fields[5],
                    Fields(fields.begin() + head, fields.end())};
}

std::string encode(const Answer& answer) {
    return frame({std::to_string(answer.id),
                  std::string(status_names[static_cast<std::size_t>(answer.status)]), answer.name,
                  std::string(role_name(answer.role)), answer.token, pack_rows(answer.rows)});
}

std::optional<Answer> decode_answer(const Fields& fields) {
    if (fields.size() != 6) return std::nullopt;
    const auto id = parse_number(fields[0]);
    const auto* status = std::find(std::begin(status_names), std::end(status_names), fields[1]);
    const auto role = parse_role(fields[3]);
    auto rows = unpack_rows(fields[5]);
    if (!id || status == std::end(status_names) || !role || !rows) return std::nullopt;
    return Answer{*id,       static_cast<Status>(status - std::begin(status_names)),
                  fields[2], *role,
                  fields[4], *std::move(rows)};
}

std::string fault_of(const Question& question) {
    const Fields& arguments = question.arguments;
    const VerbRow& row = row_of(question.verb);
    if (arguments.size() < row.least || arguments.size() > row.most) return "arguments are missing";
    switch (question.verb) {
        case Verb::queue:
        case Verb::matching:
            return fault_of_filter(arguments);
        case Verb::message:
        case Verb::detail:
        case Verb::named:
            return fault_of_ids(question, 0);
        case Verb::act:
            if (std::find(std::begin(acts), std::end(acts), arguments[0]) == std::end(acts))
                return "there is no such act";
            return fault_of_ids(question, 1);
        case Verb::person:
            return fault_of_person(arguments);
        case Verb::relay:
            if (!net::canonical_address(arguments[0])) return "this is no address of a client";
            break;
        case Verb::route:
            if (arguments[0].empty()) return "no recipient is named";
            break;
        case Verb::login:
            return arguments[0].size() <= argument_limit && arguments[1].size() <= argument_limit
                       ? ""
                       : "name or password are too long";
        default:
            break;
    }
    return std::all_of(arguments.begin(), arguments.end(), is_plain) ? "" : "this cannot be asked";
}

}  // namespace relais::console
