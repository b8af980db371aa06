#include "explain/bounce.h"

#include <fcntl.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "base/error.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/json.h"
#include "base/printable.h"
#include "base/text.h"
#include "queue/store.h"
#include "send/recipient_facts.h"

namespace relais::explain {
namespace {

constexpr std::size_t bounce_text_limit = std::size_t{1} << 20;
constexpr std::size_t log_line_limit = 65536;
// Of the words of one refusal, which may be a file of any kind.
constexpr std::size_t lines_shown = 40;
constexpr std::size_t line_shown = 1000;

std::vector<Refusal> in_queue(const control::Home& home, std::uint64_t id) {
    const queue::Store store(home);
    queue::StoredMessage message;
    if (store.load(id, message, false) != queue::Load::whole) return {};
    std::vector<Refusal> refusals = read_paragraphs(
        send::parse_bounce_text(store.read_bounce(id, bounce_text_limit).value_or("")).paragraphs);
    if (message.status.last_error.empty()) return refusals;
    std::string open;
    for (const queue::Recipient& recipient : message.envelope.recipients)
        if (recipient.mark == queue::Mark::to_do) open += (open.empty() ? "" : ", ") + recipient.address;
    refusals.push_back({open, message.status.last_error});
    return refusals;
}

// The files of multilog, oldest first.
std::vector<std::filesystem::path> log_files(const control::Home& home) {
    std::vector<std::filesystem::path> files;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(home.path("log/qmail-send"), error))
        if (const std::string name = entry.path().filename(); name.starts_with('@') || name == "current")
            files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    return files;
}

// The last words about each recipient of one message, out of qmail-send's log.
class LogReader {
  public:
    explicit LogReader(std::uint64_t id)
        : start_("starting delivery "), message_(": msg " + std::to_string(id) + " to ") {}

    void take(std::string_view line) {
        if (const std::size_t at = line.find(start_); at != std::string_view::npos)
            return begin(line.substr(at));
        const std::size_t at = line.find("delivery ");
        if (deliveries_.empty() || at == std::string_view::npos) return;
        line.remove_prefix(at + std::string_view("delivery ").size());
        const std::size_t colon = std::min(line.find(": "), line.size());
        const auto delivery = deliveries_.find(line.substr(0, colon));
        if (delivery == deliveries_.end()) return;
        const std::string_view rest = line.substr(std::min(colon + 2, line.size()));
        if (rest.starts_with("failure: ") || rest.starts_with("deferral: "))
            words_[delivery->second] = rest.substr(rest.find(' ') + 1);
        else
            words_.erase(delivery->second);
        deliveries_.erase(delivery);
    }

    std::vector<Refusal> refusals() const {
        std::vector<Refusal> result;
        for (const auto& [recipient, text] : words_) result.push_back({recipient, text});
        return result;
    }

  private:
    void begin(std::string_view line) {
        line.remove_prefix(start_.size());
        const std::size_t end = line.find(message_);
        if (end == std::string_view::npos) return;
        std::string_view recipient = line.substr(end + message_.size());
        recipient.remove_prefix(std::min(recipient.find(' ') + 1, recipient.size()));  // local, remote
        deliveries_.insert_or_assign(std::string(line.substr(0, end)), std::string(recipient));
    }

    std::string start_, message_;
    std::map<std::string, std::string, std::less<>> deliveries_;  // number -> recipient, under way
    std::map<std::string, std::string, std::less<>> words_;
};

std::vector<Refusal> in_log(const control::Home& home, std::uint64_t id) {
    LogReader log(id);
    for (const auto& path : log_files(home)) {
        const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
        if (!file) throw_errno("open", path.string());
        Reader reader(file.get());
        std::string line;
        while (reader.read_line(line, log_line_limit, Deadline::never()) != Reader::Line::ended)
            log.take(line);
    }
    return log.refusals();
}

std::string indented(std::string_view text) {
    std::string result;
    std::size_t left_out = 0;
    std::size_t shown = 0;
    for (const std::string_view line : split(trim(text), '\n')) {
        const std::string_view words = trim(line);
        if (words.empty()) continue;
        if (shown++ >= lines_shown)
            ++left_out;
        else
            result += "    said: " + printable(words.substr(0, line_shown)) +
                      (words.size() > line_shown ? "...\n" : "\n");
    }
    if (left_out > 0) result += "    and " + std::to_string(left_out) + " lines more\n";
    return result;
}

}  // namespace

std::vector<Refusal> refusals_of_message(const control::Home& home, std::uint64_t id) {
    auto refusals = in_queue(home, id);
    return refusals.empty() ? in_log(home, id) : refusals;
}

std::string bounce_text(const mail::HintTable& table, const std::vector<Refusal>& refusals) {
    std::string text;
    for (const Refusal& refusal : refusals) {
        const mail::BounceHint* hint = table.match(refusal.text);
        if (!text.empty()) text += "\n";
        if (!refusal.recipient.empty()) text += printable(refusal.recipient) + ": ";
        if (hint == nullptr) {
            text += "No hint is known for these words.\n";
            text +=
                "    do: ask the postmaster of that server, then add the wording to "
                "control/bouncehints.local\n";
        } else {
            text += printable(hint->cause) + "\n";
            if (!hint->remedy.empty()) text += "    do: " + printable(hint->remedy) + "\n";
            text += "    hint: " + printable(hint->name) + "\n";
        }
        text += indented(refusal.text);
    }
    return text;
}

std::string bounce_json(const mail::HintTable& table, const std::vector<Refusal>& refusals) {
    Json array = Json::array();
    for (const Refusal& refusal : refusals) {
        const mail::BounceHint* hint = table.match(refusal.text);
        Json one;
        one["recipient"] = text_or_null(refusal.recipient);
        one["hint"] = hint == nullptr ? Json() : Json(hint->name);
        one["cause"] = hint == nullptr ? Json() : Json(hint->cause);
        one["remedy"] = hint == nullptr ? Json() : text_or_null(hint->remedy);
        one["text"] = refusal.text;
        array.push_back(std::move(one));
    }
    return array.lines() + "\n";
}

}  // namespace relais::explain
