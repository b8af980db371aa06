#include "queue/select.h"

#include <algorithm>
#include <array>
#include <exception>
#include <iterator>
#include <span>
#include <system_error>
#include <thread>

#include "base/error.h"
#include "base/text.h"
#include "base/time.h"
#include "base/words.h"
#include "mail/address.h"

namespace relais::queue {
namespace {

constexpr std::array<std::string_view, 8> state_names = {"damaged",  "held", "later",  "bouncing",
                                                         "deferred", "new",  "partly", "done"};

// Messages looked at before the first of them is shown, and from then on.
constexpr std::size_t first_chunk = 256;
constexpr std::size_t chunk = 16384;
constexpr std::size_t readers = 2;

bool in_domain(std::string_view address, std::string_view domain) {
    const std::string_view host = mail::split_address(address).domain;
    if (!domain.starts_with('.')) return equal_ignoring_case(host, domain);
    return host.size() > domain.size() &&
           equal_ignoring_case(host.substr(host.size() - domain.size()), domain);
}

std::vector<MessageId> candidates(const control::Home& home, const Filter& filter) {
    std::vector<MessageId> ids = filter.ids;
    const std::int64_t now = now_seconds();
    if (ids.empty())
        Store(home).scan([&](MessageId id) {
            if (filter.matches_age(id, now)) ids.push_back(id);
            return true;
        });
    std::sort(ids.begin(), ids.end());
    ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
    return ids;
}

// Of those of the ids whose directory is this reader's: what the filter takes. What lies beside each other on
// the disk is read in turn: the ids are in order, and a directory's files were made in that order.
void read_share(const Store& store, const Filter& filter, bool verify, std::span<const MessageId> ids,
                std::size_t reader, std::vector<SeenMessage>& found) {
    for (std::size_t split = reader; split < split_count; split += readers)
        for (const MessageId id : ids) {
            if (id % split_count != split) continue;
            SeenMessage seen;
            const Load load = store.load(id, seen.message, verify);
            if (load == Load::missing) continue;
            seen.damaged = load != Load::whole;
            seen.message.id = id;
            if (filter.matches(seen)) found.push_back(std::move(seen));
        }
}

// In the order of their ids. Two readers: while one waits for the disk or is in the kernel, the other goes
// on.
std::vector<SeenMessage> matching(const Store& store, const Filter& filter, bool verify,
                                  std::span<const MessageId> ids) {
    std::array<std::vector<SeenMessage>, readers> found;
    std::array<std::exception_ptr, readers> trouble;
    const auto read = [&](std::size_t reader) {
        try {
            read_share(store, filter, verify, ids, reader, found[reader]);
        } catch (...) {
            trouble[reader] = std::current_exception();
        }
    };
    {
        std::optional<std::jthread> other;
        try {
            other.emplace(read, 1);
        } catch (const std::system_error&) {
            read(1);  // no more processes may be had here
        }
        read(0);
    }
    for (const std::exception_ptr& each : trouble)
        if (each) std::rethrow_exception(each);
    std::vector<SeenMessage> all = std::move(found[0]);
    std::move(found[1].begin(), found[1].end(), std::back_inserter(all));
    std::sort(all.begin(), all.end(),
              [](const SeenMessage& a, const SeenMessage& b) { return a.id() < b.id(); });
    return all;
}

}  // namespace

std::vector<std::string_view> states_of(const SeenMessage& seen) {
    if (seen.damaged) return {"damaged"};
    std::vector<std::string_view> states;
    std::size_t open = 0;
    std::size_t failed = 0;
    for (const Recipient& recipient : seen.message.envelope.recipients) {
        open += recipient.mark == Mark::to_do;
        failed += recipient.mark == Mark::failed;
    }
    const std::size_t all = seen.message.envelope.recipients.size();
    if (seen.message.status.hold) states.emplace_back("held");
    if (open > 0 && waits_for_release(seen.message, now_seconds())) states.emplace_back("later");
    if (open == 0) states.emplace_back(failed > 0 ? "bouncing" : "done");
    if (open > 0) states.emplace_back(seen.message.status.tries > 0 || open < all ? "deferred" : "new");
    if (open > 0 && open < all) states.emplace_back("partly");
    return states;
}

bool is_state_name(std::string_view name) {
    return std::find(state_names.begin(), state_names.end(), name) != state_names.end();
}

bool Filter::empty() const {
    return ids.empty() && !sender && !recipient && !domain && !older && !newer && states.empty() && !login;
}

bool Filter::matches_age(MessageId id, std::int64_t now) const {
    const std::chrono::seconds age(now - static_cast<std::int64_t>(id / 1'000'000));
    return (!older || age >= *older) && (!newer || age < *newer);
}

bool Filter::matches(const SeenMessage& seen) const {
    if (!matches_age(seen.id(), now_seconds())) return false;
    if (!states.empty()) {
        const auto actual = states_of(seen);
        if (std::find_first_of(states.begin(), states.end(), actual.begin(), actual.end()) == states.end())
            return false;
    }
    const Envelope& envelope = seen.message.envelope;
    if (seen.damaged) return !sender && !recipient && !domain && !login;
    const mail::Submitter& submitter = envelope.options.submitter;
    if (login && (submitter.kind != mail::Submitter::Kind::login || !matches_pattern(*login, submitter.name)))
        return false;
    if (sender && !matches_pattern(*sender, envelope.sender)) return false;
    if (!recipient && !domain) return true;
    return std::any_of(envelope.recipients.begin(), envelope.recipients.end(), [&](const Recipient& each) {
        return each.mark != Mark::done && (!recipient || matches_pattern(*recipient, each.address)) &&
               (!domain || in_domain(each.address, *domain));
    });
}

std::optional<std::chrono::seconds> parse_span(std::string_view text) {
    constexpr std::array<std::pair<char, std::int64_t>, 5> units = {
        {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 604800}}};
    std::int64_t factor = 1;
    for (const auto& [unit, seconds] : units) {
        if (!text.ends_with(unit)) continue;
        factor = seconds;
        text.remove_suffix(1);
        break;
    }
    const auto number = parse_number(text);
    if (!number || *number > 1'000'000'000) return std::nullopt;
    return std::chrono::seconds(static_cast<std::int64_t>(*number) * factor);
}

void select(const control::Home& home, const Filter& filter,
            const std::function<bool(const SeenMessage&)>& visit) {
    const Store store(home);
    // Reading every body takes time; without being asked it is done only for a message named by its id.
    const bool verify = !filter.ids.empty() || std::find(filter.states.begin(), filter.states.end(),
                                                         "damaged") != filter.states.end();
    const std::vector<MessageId> ids = candidates(home, filter);
    // A short list at first, for whoever wants to see a few.
    for (std::size_t at = 0, size = first_chunk; at < ids.size(); at += size, size = chunk) {
        const std::span<const MessageId> some = std::span(ids).subspan(at, std::min(size, ids.size() - at));
        for (const SeenMessage& seen : matching(store, filter, verify, some))
            if (!visit(seen)) return;
    }
}

}  // namespace relais::queue
