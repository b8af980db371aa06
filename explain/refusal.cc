#include "explain/refusal.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/text.h"
#include "explain/charset.h"
#include "sasl/base64.h"

namespace relais::explain {
namespace {

// Where other people's words end and the original message begins.
constexpr std::array<std::string_view, 10> copy_marks = {"--- Below this line is a copy of the message.",
                                                         "--- Below this line is the original bounce.",
                                                         "------ This is a copy of",
                                                         "------ This is the header",
                                                         "--- The header of the original message",
                                                         "----- Original message",
                                                         "----- Transcript of session follows -----\n\n\n",
                                                         "Content-Type: message/rfc822",
                                                         "Content-Type: text/rfc822-headers",
                                                         "Original message headers:"};

struct Line {
    std::string_view name;
    std::string_view value;
};

// "Name: value"; a name has no blanks.
std::optional<Line> field_of(std::string_view line) {
    const std::size_t colon = line.find(':');
    if (colon == 0 || colon == std::string_view::npos) return std::nullopt;
    const std::string_view name = line.substr(0, colon);
    if (!std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c < 127; }))
        return std::nullopt;
    return Line{name, trim(line.substr(colon + 1))};
}

// Takes a line off the front, without its end.
std::string_view take_line(std::string_view& text) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
}

bool is_continuation(std::string_view line) {
    return line.starts_with(' ') || line.starts_with('\t');
}

struct Head {
    bool is_message = false;
    std::string failed;  // X-Failed-Recipients
    std::string_view body;
};

// The header of a message, if the text begins with one.
Head read_head(std::string_view text) {
    Head head;
    if (text.starts_with("From ")) take_line(text);
    bool any = false;
    while (!text.empty()) {
        const std::string_view line = take_line(text);
        if (line.empty()) {
            head.is_message = head.is_message && any;
            head.body = text;
            return head;
        }
        if (any && is_continuation(line)) continue;
        const auto field = field_of(line);
        if (!field) break;
        any = true;
        for (const std::string_view name : {"Received", "Return-Path", "From", "To", "Date", "Message-ID"})
            head.is_message = head.is_message || equal_ignoring_case(field->name, name);
        if (equal_ignoring_case(field->name, "X-Failed-Recipients")) head.failed = field->value;
    }
    return {};
}

std::string_view before_copy(std::string_view body) {
    std::size_t end = body.size();
    for (const std::string_view mark : copy_marks) end = std::min(end, body.find(mark));
    return body.substr(0, end);
}

int hex_digit(char c) {
    const std::size_t at = std::string_view("0123456789abcdef").find(lower(c));
    return at == std::string_view::npos ? -1 : static_cast<int>(at);
}

// Quoted-printable (RFC 2045, 6.7); what is none stays as it is.
std::string unquoted(std::string_view text) {
    std::string result;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const std::string_view rest = text.substr(i);
        if (rest.starts_with("=\n") || rest.starts_with("=\r\n")) {
            i += rest[1] == '\n' ? 1 : 2;
        } else if (rest.size() > 2 && rest[0] == '=' && hex_digit(rest[1]) >= 0 && hex_digit(rest[2]) >= 0) {
            result += static_cast<char>(hex_digit(rest[1]) * 16 + hex_digit(rest[2]));
            i += 2;
        } else {
            result += rest[0];
        }
    }
    return result;
}

// Base64 in lines; what is none stays as it is.
std::string from_base64(std::string_view text) {
    std::string joined;
    for (const char c : text)
        if (c > ' ') joined += c;
    return sasl::decode_base64(joined).value_or(std::string(text));
}

// What the head of a message or of a part of it says about the octets that follow.
struct Coding {
    std::string charset;
    enum class Transfer { none, base64, quoted_printable } transfer = Transfer::none;

    std::string decode(std::string_view part) const {
        return to_utf8(transfer == Transfer::base64             ? from_base64(part)
                       : transfer == Transfer::quoted_printable ? unquoted(part)
                                                                : std::string(part),
                       charset);
    }
};

// Moves the lines of a head, with the empty one, from text to result.
Coding take_head(std::string_view& text, std::string& result) {
    Coding coding;
    std::string type;
    bool in_type = false;
    while (!text.empty()) {
        const std::string_view line = take_line(text);
        result.append(line).append("\n");
        if (line.empty()) break;
        if (is_continuation(line)) {
            if (in_type) type.append(line);
            continue;
        }
        const auto field = field_of(line);
        in_type = field && equal_ignoring_case(field->name, "Content-Type");
        if (in_type) type = field->value;
        if (!field || !equal_ignoring_case(field->name, "Content-Transfer-Encoding")) continue;
        if (equal_ignoring_case(field->value, "base64")) coding.transfer = Coding::Transfer::base64;
        if (equal_ignoring_case(field->value, "quoted-printable"))
            coding.transfer = Coding::Transfer::quoted_printable;
    }
    if (starts_ignoring_case(type, "text/")) coding.charset = charset_of(type);
    return coding;
}

// "--boundary" with the head of a part behind it, or "--boundary--".
bool is_boundary(std::string_view line, std::string_view behind) {
    return line.starts_with("--") && line.find_first_not_of('-') != std::string_view::npos &&
           line.find(' ') == std::string_view::npos &&
           (line.ends_with("--") || starts_ignoring_case(behind, "Content-"));
}

// The text with its base64 and quoted-printable parts decoded, each up to the next boundary, and as UTF-8.
std::string with_decoded_parts(std::string_view text) {
    std::string result;
    while (!text.empty()) {
        const Coding coding = take_head(text, result);
        std::string_view rest = text;
        std::size_t end = text.size();
        while (!rest.empty()) {
            const std::size_t start = text.size() - rest.size();
            const std::string_view line = take_line(rest);
            if (!is_boundary(line, rest)) continue;
            end = start;
            break;
        }
        result.append(coding.decode(text.substr(0, end)));
        if (end < text.size()) {
            if (!result.ends_with('\n')) result += '\n';
            text.remove_prefix(end);
            result.append(take_line(text)).append("\n");
        } else {
            break;
        }
    }
    return result;
}

// "rfc822; bob@example.org" and "smtp; 550 no".
std::string_view without_type(std::string_view value) {
    const std::size_t semicolon = value.find(';');
    return semicolon == std::string_view::npos ? value : trim(value.substr(semicolon + 1));
}

// The groups of fields of message/delivery-status, wherever they are: those with a Diagnostic-Code or a
// Status.
class StatusReader {
  public:
    std::vector<Refusal> read(std::string_view body) {
        while (!body.empty() && refusals_.size() < refusals_limit) {
            const std::string_view line = take_line(body);
            if (line.empty()) {
                end_group();
            } else if (is_continuation(line) && last_ != nullptr) {
                last_->append(" ").append(trim(line));
            } else {
                take(line);
            }
        }
        end_group();
        return std::move(refusals_);
    }

  private:
    void take(std::string_view line) {
        last_ = nullptr;
        const auto field = field_of(line);
        if (!field) return;
        const auto is = [&](std::string_view name) { return equal_ignoring_case(field->name, name); };
        if (is("Final-Recipient") || (is("Original-Recipient") && recipient_.empty()))
            recipient_ = without_type(field->value);
        else if (is("Action"))
            action_ = lower(field->value);
        else if (is("Status"))
            status_ = field->value;
        else if (is("Diagnostic-Code"))
            set(diagnostic_, without_type(field->value));
    }

    void set(std::string& to, std::string_view value) {
        to = value;
        last_ = &to;
    }

    void end_group() {
        const bool failed = action_ != "delivered" && action_ != "relayed" && action_ != "expanded";
        if (!recipient_.empty() && failed && (!diagnostic_.empty() || !status_.empty()))
            refusals_.push_back({recipient_, diagnostic_.empty() ? "status " + status_ : diagnostic_});
        recipient_.clear();
        action_.clear();
        status_.clear();
        diagnostic_.clear();
        last_ = nullptr;
    }

    std::vector<Refusal> refusals_;
    std::string recipient_, action_, status_, diagnostic_;
    std::string* last_ = nullptr;
};

}  // namespace

std::vector<Refusal> read_paragraphs(std::string_view text) {
    std::vector<Refusal> refusals;
    std::string* open = nullptr;
    while (!text.empty() && refusals.size() < refusals_limit) {
        const std::string_view line = take_line(text);
        if (line.empty()) {
            open = nullptr;
        } else if (open != nullptr) {
            open->append(line).append("\n");
        } else if (line.starts_with('<') && line.ends_with(">:")) {
            refusals.push_back({std::string(line.substr(1, line.size() - 3)), ""});
            open = &refusals.back().text;
        }
    }
    return refusals;
}

std::vector<Refusal> read_refusals(std::string_view input) {
    input = input.substr(0, bounce_message_limit);
    if (!read_head(input).is_message) {
        if (auto told = read_paragraphs(before_copy(input)); !told.empty()) return told;
        if (trim(input).empty()) return {};
        return {{"", std::string(trim(input))}};
    }
    const std::string text = with_decoded_parts(input);
    const Head head = read_head(text);
    const std::string_view body = before_copy(head.body);
    if (auto told = StatusReader().read(body); !told.empty()) return told;
    if (auto told = read_paragraphs(body); !told.empty()) return told;
    if (trim(body).empty()) return {};
    return {{head.failed, std::string(trim(body))}};
}

}  // namespace relais::explain
