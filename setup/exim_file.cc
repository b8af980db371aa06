#include "setup/exim_file.h"

#include <algorithm>
#include <set>

#include "base/text.h"
#include "mail/address.h"

namespace relais::setup {
namespace {

constexpr std::uint64_t microseconds = 1'000'000;

bool is_address(std::string_view text) {
    return text.size() <= mail::address_limit && text.find('\0') == text.npos;
}

// A number at the end of text, which loses it, behind that separator.
std::optional<std::uint64_t> take_last_number(std::string_view& text, char separator) {
    const std::size_t at = text.rfind(separator);
    if (at == text.npos) return std::nullopt;
    const std::string_view digits = text.substr(at + 1);
    const auto number = digits == "-1" ? std::optional<std::uint64_t>(0) : parse_number(digits);
    if (number) text = text.substr(0, at);
    return number;
}

// So many octets at the end of text, and the blank before them.
std::optional<std::string_view> take_last(std::string_view& text, std::uint64_t length) {
    if (length >= text.size() || text[text.size() - length - 1] != ' ') return std::nullopt;
    const std::string_view taken = text.substr(text.size() - length);
    text = text.substr(0, text.size() - length - 1);
    return taken;
}

// Bits from the second on: NEVER, SUCCESS, FAILURE, DELAY. The first is Exim's own.
mail::Notify notify_of(std::uint64_t bits) {
    if ((bits & 2) != 0) return {.never = true};
    return {.success = (bits & 4) != 0, .failure = (bits & 8) != 0, .delay = (bits & 16) != 0};
}

// "ADDRESS ORCPT LENGTH,NOTIFY ERRORS-TO LENGTH,PARENT#3", from its end; "#1" without the first pair.
std::optional<queue::Recipient> parse_recipient(std::string_view line) {
    queue::Recipient recipient;
    std::string_view rest = line;
    if (const auto flags = take_last_number(rest, '#'); flags && (*flags == 1 || *flags == 3)) {
        const auto parent = take_last_number(rest, ',');
        const auto errors_length = parent ? take_last_number(rest, ' ') : std::nullopt;
        if (!errors_length || !take_last(rest, *errors_length)) return std::nullopt;
        if (*flags == 3) {
            const auto notify = take_last_number(rest, ',');
            const auto length = notify ? take_last_number(rest, ' ') : std::nullopt;
            const auto orcpt = length ? take_last(rest, *length) : std::nullopt;
            if (!orcpt) return std::nullopt;
            recipient.options.notify = notify_of(*notify);
            if (mail::is_orcpt(*orcpt)) recipient.options.orcpt = *orcpt;
        }
    } else {
        rest = line;
    }
    if (rest.empty() || !is_address(rest)) return std::nullopt;
    recipient.address = rest;
    return recipient;
}

class HeaderReader {
  public:
    HeaderReader(std::string_view file, std::string_view id) : rest_(file), id_(id) {}
    EximHeader read();

  private:
    std::optional<std::string_view> line();
    std::string beginning();
    bool options();
    void option(std::string_view name, std::string_view value);
    bool tree();
    std::string recipients();
    bool fields();

    std::string_view rest_;
    std::string_view id_;
    EximHeader result_{};
    bool local_ = false;
    bool host_ = false;
    std::uint32_t uid_ = 0;
};

std::optional<std::string_view> HeaderReader::line() {
    const std::size_t end = rest_.find('\n');
    if (end == rest_.npos) return std::nullopt;
    const std::string_view text = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    return text;
}

// Name, user, sender and time; "" or a fault.
std::string HeaderReader::beginning() {
    const auto name = line();
    if (!name || *name != std::string(id_) + "-H") return "it does not begin with its name";
    const auto user = line(), sender = line(), time = line();
    if (!user || !sender || !sender->starts_with('<') || !sender->ends_with('>') || sender->size() < 2)
        return "there is no sender in it";
    result_.envelope.sender = sender->substr(1, sender->size() - 2);
    if (!is_address(result_.envelope.sender)) return "there is no sender in it";
    const auto words = split(*user, ' ');
    if (words.size() >= 3)
        if (const auto uid = parse_number(words[words.size() - 2]); uid && *uid < UINT32_MAX)
            uid_ = static_cast<std::uint32_t>(*uid);
    const auto seconds = time ? parse_number(time->substr(0, time->find(' '))) : std::nullopt;
    if (!seconds || *seconds >= UINT64_MAX / microseconds) return "there is no time in it";
    result_.birth = *seconds * microseconds;
    return "";
}

void HeaderReader::option(std::string_view name, std::string_view value) {
    auto& options = result_.envelope.options;
    if (name == "frozen" || name == "N")
        options.hold = true;
    else if (name == "local")
        local_ = true;
    else if (name == "host_address")
        host_ = true;
    else if (name == "smtputf8")
        options.smtputf8 = true;
    else if (name == "spool_file_wireformat")
        result_.wire = true;
    else if (name == "dsn_envid" && mail::is_envid(value))
        options.envid = value;
    else if (name == "dsn_ret")
        options.ret = value == "1" ? mail::Ret::full : value == "2" ? mail::Ret::headers : mail::Ret::unsaid;
    else if (name == "received_time_usec" && value.starts_with('.'))
        if (const auto part = parse_number(value.substr(1)); part && *part < microseconds)
            result_.birth += *part;
}

// Lines that begin with "-", a second one where the value may not be trusted. Some have octets behind them,
// and say how many.
bool HeaderReader::options() {
    while (rest_.starts_with('-')) {
        auto text = line();
        if (!text) return false;
        text->remove_prefix(text->starts_with("--") ? 2 : 1);
        // "--(lookup)name value": what a value was quoted for.
        if (text->starts_with('(')) text->remove_prefix(std::min(text->find(')') + 1, text->size()));
        const std::size_t space = std::min(text->find(' '), text->size());
        const std::string_view name = text->substr(0, space),
                               value = text->substr(std::min(space + 1, text->size()));
        if (name.starts_with("acl")) {
            const auto length =
                parse_number(value.substr(value.rfind(' ') == value.npos ? 0 : value.rfind(' ') + 1));
            if (!length || *length >= rest_.size() || rest_[*length] != '\n') return false;
            rest_.remove_prefix(*length + 1);
        } else {
            option(name, value);
        }
    }
    return true;
}

bool HeaderReader::tree() {
    std::size_t expected = 1;
    while (expected != 0) {
        const auto node = line();
        if (!node) return false;
        if (*node == "XX") return expected == 1 && result_.done.empty();
        const bool flags = node->size() > 3 && (*node)[2] == ' ' &&
                           ((*node)[0] == 'Y' || (*node)[0] == 'N') &&
                           ((*node)[1] == 'Y' || (*node)[1] == 'N');
        if (!flags) return false;
        result_.done.emplace_back(node->substr(3));
        expected += ((*node)[0] == 'Y' ? 1 : 0) + ((*node)[1] == 'Y' ? 1 : 0);
        --expected;
    }
    return true;
}

std::string HeaderReader::recipients() {
    const auto count = line();
    const auto number = count ? parse_number(*count) : std::nullopt;
    if (!number || *number > rest_.size()) return "the number of its recipients is missing";
    std::size_t odd = 0;
    for (std::uint64_t i = 0; i < *number; ++i) {
        const auto text = line();
        if (!text) return "its recipients are cut off";
        if (const auto recipient = parse_recipient(*text))
            result_.envelope.recipients.push_back(*recipient);
        else
            ++odd;
    }
    if (result_.envelope.recipients.empty()) return "there is no recipient in it";
    if (odd != 0) result_.fault = std::to_string(odd) + " of its recipients cannot be read";
    return "";
}

bool HeaderReader::fields() {
    if (line() != "") return false;
    while (!rest_.empty()) {
        const std::size_t digits = std::min(rest_.find_first_not_of("0123456789"), rest_.size());
        const auto length = parse_number(rest_.substr(0, digits));
        // The letter, and the blank.
        if (!length || rest_.size() - digits < 2 || rest_[digits + 1] != ' ' ||
            *length > rest_.size() - digits - 2)
            return false;
        const std::string_view text = rest_.substr(digits + 2, *length);
        if (rest_[digits] != '*') result_.fields += text;
        rest_.remove_prefix(digits + 2 + *length);
    }
    return result_.fields.empty() || result_.fields.ends_with('\n');
}

EximHeader HeaderReader::read() {
    std::string fault = beginning();
    if (fault.empty() && !options()) fault = "its options cannot be read";
    if (fault.empty() && !tree()) fault = "who has had it cannot be read";
    if (fault.empty()) fault = recipients();
    if (fault.empty() && !fields()) fault = "its header fields are cut off";
    if (!fault.empty()) {
        result_.fault = fault;
        return std::move(result_);
    }
    result_.whole = true;
    const bool of_user = local_ && !host_ && uid_ != 0;
    result_.envelope.uid = of_user ? uid_ : 0;
    result_.envelope.origin = of_user ? queue::Origin::user : queue::Origin::network;
    return std::move(result_);
}

std::string comparable_address(std::string_view address) {
    const std::size_t at = std::min(address.rfind('@'), address.size());
    return std::string(address.substr(0, at)) + lower(address.substr(at));
}

}  // namespace

EximHeader parse_exim_header(std::string_view file, std::string_view id) {
    return HeaderReader(file, id).read();
}

std::optional<std::string> parse_exim_body(std::string_view file, std::string_view id, bool wire) {
    const std::string first = std::string(id) + "-D\n";
    if (!file.starts_with(first)) return std::nullopt;
    file.remove_prefix(first.size());
    if (!wire) return std::string(file);
    std::string body;
    body.reserve(file.size());
    for (std::size_t i = 0; i < file.size(); ++i)
        if (file[i] != '\r' || i + 1 == file.size() || file[i + 1] != '\n') body.push_back(file[i]);
    return body;
}

std::vector<std::string> parse_exim_journal(std::string_view file) {
    std::vector<std::string> all;
    for (std::size_t end = 0; (end = file.find('\n')) != file.npos; file.remove_prefix(end + 1))
        if (end != 0) all.emplace_back(file.substr(0, end));
    return all;
}

std::vector<std::string> mark_done(queue::Envelope& envelope, const std::vector<std::string>& done) {
    std::set<std::string> left;
    for (const std::string& address : done) left.insert(comparable_address(address));
    queue::Recipients marked;
    std::set<std::string> used;
    for (queue::Recipient recipient : envelope.recipients) {
        const std::string address = comparable_address(recipient.address);
        if (left.contains(address)) {
            recipient.mark = queue::Mark::done;
            used.insert(address);
        }
        marked.push_back(recipient);
    }
    envelope.recipients = std::move(marked);
    for (const std::string& address : used) left.erase(address);
    return {left.begin(), left.end()};
}

}  // namespace relais::setup
