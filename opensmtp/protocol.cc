#include "opensmtp/protocol.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/text.h"
#include "base/unix_socket.h"
#include "opensmtp/address.h"
#include "opensmtp/entry.h"

namespace relais::opensmtp {
namespace {

enum class Field { address, user, service, wall };

// Each verb and the fields after it.
struct Form {
    Verb verb;
    std::string_view word;
    std::array<Field, 4> fields;
    std::size_t count;
};
constexpr std::array<Form, 7> forms = {{
    {Verb::channel, "channel", {Field::address, Field::service}, 2},
    {Verb::confirm, "confirm", {Field::user}, 1},
    {Verb::add, "add", {Field::address, Field::user, Field::service}, 3},
    {Verb::import, "import", {Field::address, Field::user, Field::service, Field::wall}, 4},
    {Verb::remove, "remove", {Field::address}, 1},
    {Verb::remove_user, "remove-user", {Field::user}, 1},
    {Verb::expire, "expire", {}, 0},
}};

std::string text_of(const Request& request, Field field) {
    switch (field) {
        case Field::address:
            return request.address;
        case Field::user:
            return request.user;
        case Field::service:
            return request.service;
        case Field::wall:
            break;
    }
    return std::to_string(request.wall);
}

// A client's address, or a network as the store names it.
std::optional<std::string> canonical_key(std::string_view text) {
    if (!text.ends_with("/64")) return canonical_client(text);
    return network64(text.substr(0, text.size() - 3));
}

bool take(Request& request, Field field, std::string_view text) {
    switch (field) {
        case Field::address: {
            auto address = canonical_key(text);
            if (address) request.address = std::move(*address);
            return address.has_value();
        }
        case Field::user:
            request.user = text;
            return is_user(text);
        case Field::service:
            request.service = text;
            return is_service(text);
        case Field::wall:
            break;
    }
    const auto wall = parse_number(text);
    if (!wall || *wall > 99'999'999'999) return false;
    request.wall = static_cast<std::int64_t>(*wall);
    return true;
}

}  // namespace

std::string encode(const Request& request) {
    const auto form =
        std::find_if(forms.begin(), forms.end(), [&](const Form& f) { return f.verb == request.verb; });
    std::string line(form->word);
    for (std::size_t i = 0; i < form->count; ++i) {
        line += '\0';
        line += text_of(request, form->fields.at(i));
    }
    if (!decode_request(line)) throw_permanent("not a request that open-smtpd takes: " + safe_for_log(line));
    return line + "\n";
}

std::optional<Request> decode_request(std::string_view line) {
    if (line.size() >= protocol_line_limit) return std::nullopt;
    const auto fields = split(line, '\0');
    const auto form =
        std::find_if(forms.begin(), forms.end(), [&](const Form& f) { return f.word == fields[0]; });
    if (form == forms.end() || fields.size() != form->count + 1) return std::nullopt;
    Request request;
    request.verb = form->verb;
    for (std::size_t i = 0; i < form->count; ++i)
        if (!take(request, form->fields.at(i), fields[i + 1])) return std::nullopt;
    return request;
}

std::string encode(const Answer& answer) {
    std::string text = answer.text.substr(0, protocol_line_limit - 16);
    std::replace_if(
        text.begin(), text.end(), [](char c) { return c == '\0' || c == '\n'; }, ' ');
    return std::string(answer.ok ? "ok" : "error") + '\0' + text + "\n";
}

std::optional<Answer> decode_answer(std::string_view line) {
    const auto fields = split(line, '\0');
    if (fields.size() != 2 || (fields[0] != "ok" && fields[0] != "error")) return std::nullopt;
    return Answer{fields[0] == "ok", std::string(fields[1])};
}

OpenSmtpClient::OpenSmtpClient(const control::Home& home, Deadline deadline)
    : socket_(connect_unix(home.socket("open-smtp"), deadline)), reader_(socket_.get()) {}

Answer OpenSmtpClient::ask(const Request& request, Deadline deadline) {
    return ask(std::vector<Request>{request}, deadline).front();
}

std::vector<Answer> OpenSmtpClient::ask(const std::vector<Request>& requests, Deadline deadline) {
    std::string lines;
    for (const Request& request : requests) lines += encode(request);
    write_all(socket_.get(), lines, deadline);
    std::vector<Answer> answers;
    std::string line;
    while (answers.size() < requests.size()) {
        const Reader::Line kind = reader_.read_line(line, protocol_line_limit, deadline);
        auto answer = kind == Reader::Line::complete ? decode_answer(line) : std::nullopt;
        if (!answer) throw Error(Reaction::temporary, "open-smtpd has closed the connection", ECONNRESET);
        answers.push_back(std::move(*answer));
    }
    return answers;
}

}  // namespace relais::opensmtp
