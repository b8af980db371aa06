#include "milter/message.h"

#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "mail/address.h"

namespace relais::milter {
namespace {

constexpr std::size_t piece_size = 65536;
// A field costs more than its octets, also the place of those behind it.
constexpr std::size_t field_overhead = 64;

// Where the name of a field ends; npos for what is no field.
std::size_t name_end(std::string_view line) {
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0) return std::string_view::npos;
    const bool fits = std::all_of(line.begin(), line.begin() + static_cast<std::ptrdiff_t>(colon),
                                  [](char c) { return c > 32 && c < 127; });
    return fits ? colon : std::string_view::npos;
}

}  // namespace

void Message::add_text(std::string_view text) {
    if (!in_header_) return body_->append(text);
    header_ += text;
    header_size_ += text.size();
    take_header_lines();
    if (in_header_ && header_size_ > header_limit)
        throw Error(Reaction::permanent, "the header is too large to be shown to a filter");
}

void Message::end_text() {
    if (!in_header_) return;
    if (!header_.empty()) add_text("\n");
    if (!in_header_) return;
    take_field(field_);
    in_header_ = false;
}

void Message::take_header_lines() {
    std::size_t at = 0;
    std::size_t from = searched_;
    for (std::size_t end; (end = header_.find('\n', from)) != std::string::npos; at = from = end + 1) {
        const std::string_view line(header_.data() + at, end + 1 - at);
        const bool follows = (line[0] == ' ' || line[0] == '\t') && !field_.empty();
        if (line == "\n") return end_header(std::string_view(header_).substr(end + 1), true);
        if (!follows && name_end(line) == std::string_view::npos)
            return end_header(std::string_view(header_).substr(at), false);
        if (!follows) {
            take_field(field_);
            field_.clear();
        }
        field_ += line;
    }
    header_.erase(0, at);
    searched_ = header_.size();
}

void Message::take_field(std::string_view text) {
    if (text.empty()) return;
    const bool hidden = !hidden_.empty() && text == hidden_;
    if (hidden) hidden_.clear();  // another one like it is the client's
    text.remove_suffix(1);
    const std::size_t colon = name_end(text);
    fields_.push_back({std::string(text.substr(0, colon)), std::string(text.substr(colon + 1)), hidden});
}

void Message::end_header(std::string_view rest, bool blank) {
    take_field(field_);
    field_.clear();
    in_header_ = false;
    blank_ = blank;
    body_->append(rest);
    std::string().swap(header_);
}

// before counts what a milter sees, from 0. What no milter sees stays with what followed it.
void Message::insert_field(std::uint32_t before, Field field) {
    auto at = fields_.begin();
    for (std::uint32_t seen = 0; at != fields_.end(); ++at) {
        if (seen == before) break;
        if (!at->hidden) ++seen;
    }
    fields_.insert(at, std::move(field));
}

void Message::change_field(std::uint32_t number, const std::string& name, std::string value) {
    std::uint32_t seen = 0;
    const std::uint32_t wanted = std::max<std::uint32_t>(number, 1);
    for (auto each = fields_.begin(); each != fields_.end(); ++each) {
        if (each->hidden || !equal_ignoring_case(each->name, name) || ++seen != wanted) continue;
        if (value.empty())
            fields_.erase(each);
        else
            each->value = std::move(value);
        return;
    }
    if (!value.empty()) fields_.push_back({name, std::move(value)});
}

void Message::delete_recipient(const std::string& address) {
    std::erase_if(recipients, [&](const std::string& each) { return equal_ignoring_case(each, address); });
}

// CR LF becomes LF; a CR or LF alone, too: bare ones leave nobody's server.
void Message::replace_body(std::string_view piece) {
    if (!std::exchange(replacing_, true)) body_ = new_body();
    std::string text;
    text.reserve(piece.size());
    for (const char c : piece) {
        if (std::exchange(held_return_, c == '\r') && c != '\n') text += '\n';
        if (c != '\r') text += c;
    }
    body_->append(text);
}

// All milters together, for they are programs of others.
bool Message::has_room_for(const Reply& reply) {
    using Kind = Reply::Kind;
    if (reply.kind == Kind::replace_body) {
        if (!replacing_) body_room_ = 2 * body_->size() + body_spare;
        if (reply.text.size() > body_room_) return false;
        body_room_ -= reply.text.size();
    } else if (reply.kind == Kind::add_header || reply.kind == Kind::insert_header ||
               reply.kind == Kind::change_header) {
        added_ += reply.name.size() + reply.text.size() + field_overhead;
    }
    return added_ <= header_limit;
}

bool Message::apply(const Reply& reply) {
    if (!has_room_for(reply)) return false;
    const std::string value =
        reply.text.starts_with(' ') || reply.text.empty() ? reply.text : " " + reply.text;
    using Kind = Reply::Kind;
    switch (reply.kind) {
        case Kind::add_header:
            fields_.push_back({reply.name, value});
            break;
        case Kind::insert_header:
            insert_field(reply.number, {reply.name, value});
            break;
        case Kind::change_header:
            change_field(reply.number, reply.name, value);
            break;
        case Kind::replace_body:
            replace_body(reply.text);
            break;
        case Kind::add_rcpt:
            if (recipients.size() >= recipients_limit) return false;
            if (std::find(recipients.begin(), recipients.end(), reply.text) == recipients.end())
                recipients.push_back(reply.text);
            return true;
        case Kind::delete_rcpt:
            delete_recipient(reply.text);
            return true;
        case Kind::change_from:
            sender = reply.text;
            return true;
        case Kind::quarantine:
            hold = true;
            hold_reason = reply.text;
            return true;
        default:
            return false;
    }
    changed_ = true;
    return true;
}

void Message::end_changes() {
    if (std::exchange(held_return_, false)) body_->append("\n");
    if (std::exchange(replacing_, false) && !body_->ends_line()) body_->append("\n");
}

void Message::write(const std::function<void(std::string_view)>& take) const {
    std::string header;
    for (const Field& field : fields_) header.append(field.name).append(":").append(field.value) += '\n';
    // What no milter has changed stays as it came, also without a blank line.
    if (blank_ || (changed_ && body_->size() > 0)) header += '\n';
    take(header);
    for (std::uint64_t at = 0; at < body_->size();) {
        const std::string_view piece = body_->read(at, piece_size);
        at += piece.size();
        take(piece);
    }
}

}  // namespace relais::milter
