#include "summary/words.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "base/text.h"
#include "base/time.h"
#include "base/words.h"

namespace relais::summary {
namespace {

constexpr std::uint64_t a_day = 86'400;
constexpr std::uint64_t days_before_end = 14;
constexpr std::size_t causes_shown = 10;
constexpr std::size_t destinations_shown = 5;
constexpr std::size_t accounts_shown = 10;
// Of a disk, in hundredths.
constexpr std::uint64_t little_free = 10;
// An account is named when it has reached so many more recipients a day than it used to, and so many at all.
constexpr double unusual_times = 4;
constexpr std::uint64_t unusual_recipients = 50;
// Less of the past says nothing of what is usual.
constexpr double past_days_needed = 1;
constexpr std::size_t address_limit = 254;
constexpr std::size_t line_limit = 990;

std::string day_of(std::uint64_t seconds) {
    const std::string date = date_gmt(static_cast<std::int64_t>(seconds));
    return date.substr(0, date.rfind(' '));
}

std::string minute_of(std::uint64_t seconds) {
    const std::string date = date_gmt(static_cast<std::int64_t>(seconds));
    return date.substr(0, date.rfind(':'));
}

// Rows of numbers beside those of the period before, brought to the same length.
class Table {
  public:
    explicit Table(const Facts& facts) : facts_(facts) {
        const bool compared = facts.before != 0 && facts.since != 0 && facts.now > facts.since &&
                              // A short first one says nothing of a day.
                              2 * facts.before >= facts.now - facts.since;
        if (compared)
            scale_ = static_cast<double>(facts.now - facts.since) / static_cast<double>(facts.before);
    }
    bool compares() const { return scale_ > 0; }
    std::string head(std::string_view title) const {
        return compares() ? fmt::format("{:<34}{:>12}{:>12}\n", title, "this time", "before")
                          : fmt::format("{}\n", title);
    }
    std::string row(std::string_view name, std::string_view key, std::string_view value = "") const {
        const std::uint64_t now = sum(facts_.grown, key, value);
        const std::string label = fmt::format("  {}", name);
        if (!compares()) return fmt::format("{:<34}{:>12}\n", label, now);
        const auto before =
            static_cast<std::uint64_t>(static_cast<double>(sum(facts_.earlier, key, value)) * scale_ + 0.5);
        const double change =
            before == 0 ? 0 : 100.0 * (static_cast<double>(now) / static_cast<double>(before) - 1.0);
        const std::string words = std::abs(change) < 0.5 ? "" : fmt::format("  {:+.0f} %", change);
        return fmt::format("{:<34}{:>12}{:>12}{}\n", label, now, before, words);
    }

  private:
    const Facts& facts_;
    double scale_ = 0;
};

std::string volumes(const Facts& facts, const Table& table) {
    std::string text = table.head("Mail");
    text += table.row("accepted from clients", "smtp.messages");
    text += table.row("taken into the queue", "queue.taken");
    text += table.row("delivered here", "send.success", "local");
    text += table.row("delivered elsewhere", "send.success", "remote");
    text += table.row("tries put off", "send.deferral");
    text += table.row("recipients failed", "send.failure");
    text += table.row("given up as too old", "send.expired");
    text += table.row("bounces sent", "send.bounces", "sent");
    text += table.row("logins", "login.right");
    text += table.row("wrong logins", "login.wrong");
    if (facts.levels.contains("level/queue"))
        text +=
            fmt::format("  in the queue now: {}, {} held, {} damaged\n", sum(facts.levels, "level", "queue"),
                        sum(facts.levels, "level", "held"), sum(facts.levels, "level", "damaged"));
    return text;
}

std::string refusals(const Facts& facts, const Table& table) {
    constexpr std::string_view key = "smtp.refused/";
    std::vector<std::pair<std::uint64_t, std::string>> causes;
    for (const auto& [name, count] : facts.grown)
        if (name.starts_with(key)) causes.emplace_back(count, name.substr(key.size()));
    std::stable_sort(causes.begin(), causes.end(),
                     [](const auto& a, const auto& b) { return b.first < a.first; });
    std::string text = table.head("Refused") + table.row("all", "smtp.refused");
    for (std::size_t i = 0; i < std::min(causes.size(), causes_shown); ++i)
        text += table.row("  " + causes[i].second, "smtp.refused", causes[i].second);
    return text;
}

std::string seconds_of(std::uint64_t milliseconds) {
    return fmt::format("{:.1f} s", static_cast<double>(milliseconds) / 1000.0);
}

std::string slowest(const Remembered& remembered) {
    std::vector<std::pair<std::string, trace::Deliveries>> order;
    for (const auto& [name, all] : remembered.now.destinations)
        if (name != trace::Traffic::here && all.timed > 0) order.emplace_back(name, all);
    std::stable_sort(order.begin(), order.end(),
                     [](const auto& a, const auto& b) { return b.second.average() < a.second.average(); });
    if (order.size() > destinations_shown) order.resize(destinations_shown);
    std::string text = "Slowest destinations\n";
    for (const auto& [name, all] : order)
        text += fmt::format("  {}: {} on average, {} at most; {} delivered, {} put off, {} failed\n", name,
                            seconds_of(all.average()), seconds_of(all.slowest), all.success, all.deferral,
                            all.failure);
    return order.empty() ? text + "  none\n" : text;
}

struct Account {
    std::string name;
    double more;  // recipients a day than usual
    std::string words;
};

std::vector<Account> unusual(const Facts& facts, const Remembered& remembered) {
    std::vector<Account> found;
    if (remembered.past_days < past_days_needed || facts.since == 0) return found;
    const double days =
        std::max(1.0, static_cast<double>(facts.now - facts.since) / static_cast<double>(a_day));
    for (const auto& [name, sent] : remembered.now.logins) {
        const auto past = remembered.past.logins.find(name);
        const double usual = past == remembered.past.logins.end()
                                 ? 0
                                 : static_cast<double>(past->second.recipients) / remembered.past_days;
        const double now = static_cast<double>(sent.recipients) / days;
        if (sent.recipients < unusual_recipients || now < unusual_times * usual) continue;
        found.push_back({name, now - usual,
                         fmt::format("{}: recipients {}, messages {}, addresses of clients {}; {}", name,
                                     sent.recipients, sent.messages, sent.clients.size(),
                                     usual == 0 ? "none in the days before"
                                                : fmt::format("{:.1f} recipients a day before", usual))});
    }
    std::stable_sort(found.begin(), found.end(),
                     [](const Account& a, const Account& b) { return b.more < a.more; });
    if (found.size() > accounts_shown) found.resize(accounts_shown);
    return found;
}

std::string accounts(const Remembered& remembered, const std::vector<Account>& found) {
    std::string text = "Accounts that send unusually, beside their own past\n";
    if (remembered.past_days < past_days_needed) return text + "  there is no day to compare with yet\n";
    for (const Account& account : found) text += "  " + account.words + "\n";
    return found.empty() ? text + "  none\n" : text;
}

std::string end_of(const Certificate& certificate, std::uint64_t now) {
    if (!certificate.trouble.empty())
        return fmt::format("control/{}: {}", certificate.name, certificate.trouble);
    if (certificate.ends <= now)
        return fmt::format("control/{}: ended on {}", certificate.name, day_of(certificate.ends));
    return fmt::format("control/{}: ends in {} days, on {}", certificate.name,
                       (certificate.ends - now) / a_day, day_of(certificate.ends));
}

bool ends_soon(const Certificate& certificate, std::uint64_t now) {
    return !certificate.trouble.empty() || certificate.ends < now + days_before_end * a_day;
}

std::string disk(const Facts& facts) {
    constexpr std::uint64_t mebibyte = std::uint64_t{1} << 20;
    if (facts.all_octets == 0) return "the queue's disk: unknown";
    return fmt::format(
        "the queue's disk: {} of {} MiB free, {} %", facts.free_octets / mebibyte,
        facts.all_octets / mebibyte,
        100 * (facts.free_octets / mebibyte) / std::max<std::uint64_t>(1, facts.all_octets / mebibyte));
}

std::string looks(const Facts& facts, const std::vector<Account>& found) {
    std::string text;
    for (const Certificate& each : facts.certificates)
        if (ends_soon(each, facts.now)) text += "  " + end_of(each, facts.now) + "\n";
    if (facts.all_octets != 0 && facts.free_octets / little_free < facts.all_octets / 100)
        text += "  " + disk(facts) + "\n";
    if (const std::uint64_t damaged = sum(facts.levels, "level", "damaged"); damaged != 0)
        text += fmt::format("  {} damaged messages are in the queue (queue-list says which)\n", damaged);
    for (const Account& each : found) text += "  " + each.words + "\n";
    return text.empty() ? "" : std::string(worth_a_look) + "\n" + text + "\n";
}

bool is_address(std::string_view word) {
    const std::size_t at = word.rfind('@');
    return at != std::string_view::npos && at > 0 && at + 1 < word.size() && word.size() <= address_limit &&
           safe_for_log(word) == word && word.find_first_of("<>,;:\"()[]\\") == std::string_view::npos;
}

}  // namespace

std::optional<Setting> parse_setting(std::string_view line) {
    const auto words = words_of(line);
    if (words.empty() || words.size() > 2) return std::nullopt;
    if (words[0] != "daily" && words[0] != "weekly") return std::nullopt;
    if (words.size() == 2 && !is_address(words[1])) return std::nullopt;
    return Setting{words[0] == "daily" ? Every::day : Every::week,
                   words.size() == 2 ? std::string(words[1]) : ""};
}

bool is_due(Every every, std::uint64_t since, std::uint64_t now) {
    // 1970 began on a Thursday.
    const auto number = [every](std::uint64_t seconds) {
        const std::uint64_t day = seconds / a_day;
        return every == Every::day ? day : (day + 3) / 7;
    };
    return number(now) > number(since);
}

std::optional<Certificate> parse_certificate(std::string_view line) {
    const auto words = words_of(line);
    if (words.size() < 2 || line.size() > 400) return std::nullopt;
    if (words[0] == "unread")
        return Certificate{safe_for_log(trim(line.substr(words[0].size()))), 0, "cannot be read"};
    if (words[0] != "certificate" || words.size() < 3) return std::nullopt;
    const auto ends = parse_number(words[1]);
    // Year 9999, which certificates without an end say.
    if (!ends || *ends > 253'402'300'799) return std::nullopt;
    const auto from = static_cast<std::size_t>(words[2].data() - line.data());
    return Certificate{safe_for_log(trim(line.substr(from))), *ends};
}

std::string words_of_summary(const Facts& facts, const Remembered& remembered) {
    const std::vector<Account> found = unusual(facts, remembered);
    const Table table(facts);
    std::string text = looks(facts, found);
    text += facts.since == 0
                ? fmt::format("{}, all that was counted until {} GMT.\n\n", facts.host, minute_of(facts.now))
                : fmt::format("{}, from {} to {} GMT.\n\n", facts.host, minute_of(facts.since),
                              minute_of(facts.now));
    text += facts.counted ? volumes(facts, table) + "\n" + refusals(facts, table)
                          : "There are no counters (qmail-setup --repair makes them).\n";
    if (remembered.kept)
        text += "\n" + slowest(remembered) + "\n" + accounts(remembered, found);
    else
        text += "\nDestinations and accounts are not remembered (control/keeptrace).\n";
    if (remembered.cut) text += "  There was more than could be read in time.\n";
    text += "\nCertificates\n";
    for (const Certificate& each : facts.certificates) text += "  " + end_of(each, facts.now) + "\n";
    if (facts.certificates.empty()) text += "  none\n";
    return text + "\nDisk\n  " + disk(facts) + "\n";
}

std::string message_of(const Letter& letter, std::string_view text) {
    const bool look = text.starts_with(worth_a_look);
    std::string message = fmt::format(
        "From: {} <{}>\nTo: {}\nSubject: Mail of {}, {} to {}{}\nDate: {}\nMessage-ID: <summary.{}@{}>\n"
        "Auto-Submitted: auto-generated\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n"
        "Content-Transfer-Encoding: 8bit\n\n",
        "Mail system", letter.from, letter.to, letter.host, day_of(letter.since), day_of(letter.now),
        look ? " (worth a look)" : "", date_822(static_cast<std::int64_t>(letter.now)), letter.since,
        letter.host);
    for (const std::string_view raw : split(text, '\n')) {
        std::string line(raw.substr(0, line_limit));
        for (char& c : line)
            if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') c = '_';
        message += line + "\n";
    }
    while (message.ends_with("\n\n")) message.pop_back();
    return message;
}

}  // namespace relais::summary
