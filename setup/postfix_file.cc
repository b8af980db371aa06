#include "setup/postfix_file.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/text.h"
#include "mail/address.h"
#include "mail/header.h"

namespace relais::setup {
namespace {

constexpr std::uint64_t microseconds = 1'000'000;
constexpr std::size_t failures_limit = 1'000'000;
// Of a message; a file may have as many as it has records, each another.
constexpr std::size_t notes_limit = 10;

struct Record {
    char type;
    std::string_view data;
};

// Takes the record at that offset, which then lies behind it.
std::optional<Record> take_record(std::string_view file, std::size_t& at) {
    if (at >= file.size()) return std::nullopt;
    const char type = file[at++];
    std::size_t length = 0;
    for (unsigned shift = 0;; shift += 7) {
        if (at >= file.size() || shift > 28) return std::nullopt;
        const auto octet = static_cast<unsigned char>(file[at++]);
        length |= static_cast<std::size_t>(octet & 0x7f) << shift;
        if ((octet & 0x80) == 0) break;
    }
    if (length > file.size() - at) return std::nullopt;
    const Record record{type, file.substr(at, length)};
    at += length;
    return record;
}

std::optional<std::uint64_t> first_number(std::string_view text) {
    text = trim(text);
    return parse_number(text.substr(0, text.find(' ')));
}

bool is_address(std::string_view text) {
    return text.size() <= mail::address_limit && text.find_first_of(std::string_view("\0\n", 2)) == text.npos;
}

// Reads one file. What it has read may not be more than the file has: pointers that lead in a circle end it.
class FileReader {
  public:
    explicit FileReader(std::string_view file) : file_(file) {}
    PostfixFile read();

  private:
    void take(const Record& record);
    void take_content(const Record& record);
    void take_envelope(const Record& record);
    void take_attribute(std::string_view text);
    void take_recipient(const Record& record);
    void take_notify(std::string_view number);
    void take_sizes(std::string_view text);
    void go_to(std::string_view offset);
    void finish();
    void note(std::string text) {
        if (result_.notes.size() < notes_limit &&
            std::ranges::find(result_.notes, text) == result_.notes.end())
            result_.notes.push_back(std::move(text));
    }

    std::string_view file_;
    std::size_t at_ = 0;
    PostfixFile result_{};
    bool in_content_ = false;
    bool has_content_ = false;
    bool has_sender_ = false;
    bool has_client_ = false;
    bool ended_ = false;
    bool broken_ = false;
    std::size_t odd_ = 0;  // recipients
    mail::RecipientOptions next_{};
};

void FileReader::go_to(std::string_view offset) {
    const auto to = first_number(offset);
    if (!to || *to >= file_.size()) {
        broken_ = true;
        return;
    }
    if (*to != 0) at_ = static_cast<std::size_t>(*to);
}

void FileReader::take_content(const Record& record) {
    switch (record.type) {
        case 'N':
            result_.text.append(record.data).push_back('\n');
            return;
        case 'L':
            result_.text.append(record.data);
            return;
        case 'X':
            in_content_ = false;
            return;
        default:  // w: overwritten
            return;
    }
}

// DATA-SIZE DATA-OFFSET RECIPIENTS OPTIONS CONTENT-LENGTH SMTPUTF8, of which older releases have fewer.
void FileReader::take_sizes(std::string_view text) {
    std::size_t place = 0;
    for (const std::string_view word : split(text, ' ')) {
        if (word.empty() || ++place != 6) continue;
        const auto flags = parse_number(word);
        result_.envelope.options.smtputf8 = flags && (*flags & 1) != 0;
    }
}

// Bits: NEVER, SUCCESS, FAILURE, DELAY.
void FileReader::take_notify(std::string_view number) {
    const auto bits = parse_number(number);
    if (!bits || *bits == 0 || *bits > 15) return;
    next_.notify = {.never = (*bits & 1) != 0};
    if (!next_.notify.never)
        next_.notify = {.success = (*bits & 2) != 0, .failure = (*bits & 4) != 0, .delay = (*bits & 8) != 0};
}

void FileReader::take_attribute(std::string_view text) {
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos) return;
    const std::string_view name = text.substr(0, equals), value = text.substr(equals + 1);
    auto& options = result_.envelope.options;
    if (name == "client_address" || name == "log_client_address")
        has_client_ = true;
    else if (name == "notify_flags")
        take_notify(value);
    else if (name == "dsn_orig_rcpt" && mail::is_orcpt(value))
        next_.orcpt = value;
    else if (name == "envelope_id" && mail::is_envid(value))
        options.envid = value;
    else if (name == "ret_flags")
        options.ret = value == "1" ? mail::Ret::full : value == "2" ? mail::Ret::headers : options.ret;
}

void FileReader::take_recipient(const Record& record) {
    const mail::RecipientOptions options = std::exchange(next_, {});
    if (record.type == '/') return;  // a milter has taken it away
    if (record.data.empty() || !is_address(record.data)) {
        ++odd_;
        return;
    }
    result_.envelope.recipients.push_back(
        {.address = std::string(record.data),
         .mark = record.type == 'D' ? queue::Mark::done : queue::Mark::to_do,
         .options = options});
}

void FileReader::take_envelope(const Record& record) {
    switch (record.type) {
        case 'C':
            return take_sizes(record.data);
        case 'T':
            if (const auto seconds = first_number(record.data);
                seconds && *seconds < UINT64_MAX / microseconds) {
                const std::size_t space = record.data.find(' ');
                const auto rest =
                    space == record.data.npos ? std::nullopt : first_number(record.data.substr(space));
                result_.birth = *seconds * microseconds + (rest && *rest < microseconds ? *rest : 0);
            }
            return;
        case 'A':
            return take_attribute(record.data);
        case 'S':
            if (!has_sender_ && is_address(record.data)) {
                has_sender_ = true;
                result_.envelope.sender = record.data;
            }
            return;
        case 'R':
        case 'D':
        case '/':
            return take_recipient(record);
        case 'n':
            return take_notify(record.data);
        case 'o':
            if (mail::is_orcpt(record.data)) next_.orcpt = record.data;
            return;
        case 'i':
            if (mail::is_envid(record.data)) result_.envelope.options.envid = record.data;
            return;
        case '<':
            return take_attribute("ret_flags=" + std::string(record.data));
        case 'L':
            return note("content_filter " + safe_for_log(record.data) + " has not seen it and will not");
        case '>':
            return note("a check has redirected it to " + safe_for_log(record.data) +
                        ": it goes to its recipients");
        case 'V':
            return note("VERP was asked for: its bounces go to the plain sender");
        case 'K':
            result_.killed = true;
            return;
        default:
            return;
    }
}

void FileReader::take(const Record& record) {
    if (record.type == 'p') return go_to(record.data);
    if (record.type == 'E') {
        ended_ = true;
    } else if (in_content_) {
        take_content(record);
    } else if (record.type == 'M') {
        // The message comes once.
        broken_ = broken_ || std::exchange(has_content_, true);
        in_content_ = true;
    } else {
        take_envelope(record);
    }
}

// "Received: by HOST (Postfix, from userid N)", which pickup has put on top of what a program has submitted.
std::uint32_t user_in_trace(std::string_view text) {
    constexpr std::string_view opening = "Received: by ", middle = " (Postfix, from userid ";
    const std::string_view line = text.substr(0, text.find('\n'));
    const std::size_t at = line.find(middle);
    if (!line.starts_with(opening) || at == line.npos) return 0;
    const std::string_view rest = line.substr(at + middle.size());
    const auto uid = parse_number(rest.substr(0, rest.find(')')));
    return uid && *uid <= UINT32_MAX ? static_cast<std::uint32_t>(*uid) : 0;
}

void FileReader::finish() {
    if (broken_)
        result_.fault = "its records lead in a circle, or nowhere";
    else if (!ended_)
        result_.fault = "its end is missing";
    else if (!has_content_)
        result_.fault = "there is no message in it";
    else if (!has_sender_)
        result_.fault = "there is no sender in it";
    else if (result_.envelope.recipients.empty())
        result_.fault = "there is no recipient in it";
    result_.whole = result_.fault.empty();
    if (odd_ != 0)
        result_.fault += (result_.fault.empty() ? "" : ", and ") + std::to_string(odd_) +
                         " of its recipients cannot be read";
    result_.envelope.uid = has_client_ ? 0 : user_in_trace(result_.text);
    const bool of_user = result_.envelope.uid != 0;
    result_.envelope.origin = of_user ? queue::Origin::user : queue::Origin::network;
}

PostfixFile FileReader::read() {
    std::size_t octets = 0;
    while (!ended_ && !broken_) {
        const std::size_t before = at_;
        const auto record = take_record(file_, at_);
        if (!record) break;
        octets += at_ - before;
        broken_ = octets > file_.size();
        if (!broken_) take(*record);
    }
    finish();
    return std::move(result_);
}

bool is_field(std::string_view line, std::string_view name) {
    const auto its = mail::field_name(line);
    return its && equal_ignoring_case(*its, name);
}

// A header field of a submitted text that does not go on: with the lines that continue it.
bool is_dropped(std::string_view line) {
    constexpr std::string_view dropped[] = {"bcc", "resent-bcc", "return-path", "content-length"};
    return std::ranges::any_of(dropped, [&](std::string_view name) { return is_field(line, name); });
}

}  // namespace

PostfixFile parse_postfix_file(std::string_view file) {
    return FileReader(file).read();
}

std::vector<PostfixFailure> parse_postfix_bounce(std::string_view text) {
    std::vector<PostfixFailure> all;
    PostfixFailure next;
    bool failed = true;
    const auto end_paragraph = [&] {
        if (failed && !next.recipient.empty()) all.push_back(next);
        next = {};
        failed = true;
    };
    while (!text.empty() && all.size() < failures_limit) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        const std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        const std::size_t equals = line.find('=');
        if (line.empty()) {
            end_paragraph();
        } else if (line.starts_with("recipient=") && is_address(line.substr(equals + 1))) {
            next.recipient = line.substr(equals + 1);
        } else if (line.starts_with("reason=")) {
            next.reason = line.substr(equals + 1);
        } else if (line.starts_with("action=")) {
            failed = line == "action=failed";
        }
    }
    end_paragraph();
    return all;
}

std::string bounce_paragraph(const std::string& recipient, const std::string& reason) {
    std::string text =
        "<" + recipient + ">:\n" + (reason.empty() ? "The system before this one did not say why." : reason);
    std::ranges::replace(text, '\0', '?');  // ours has facts behind a NUL
    return text + "\n\n";
}

std::string completed_text(std::string_view text, const Completion& with) {
    std::string header;
    bool dropping = false, from = false, date = false, id = false;
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        const std::string_view line = text.substr(0, end == text.npos ? text.size() : end + 1);
        const bool continues = line.front() == ' ' || line.front() == '\t';
        if (!continues && line.find(':') == line.npos) break;
        text.remove_prefix(line.size());
        if (!continues) dropping = is_dropped(line);
        if (dropping) continue;
        from = from || is_field(line, "from");
        date = date || is_field(line, "date");
        id = id || is_field(line, "message-id");
        header += line;
    }
    std::string top;
    if (!from) top += "From: <" + with.sender + ">\n";
    if (!date) top += "Date: " + with.date + "\n";
    if (!id) top += "Message-Id: " + with.message_id + "\n";
    if (!text.starts_with('\n')) header += "\n";
    return top + header + std::string(text);
}

}  // namespace relais::setup
