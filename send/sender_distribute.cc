// Which recipients get a destination when. The first jobs of a message are made when it is loaded; what it
// has beyond them waits in its Plan, and such messages take turns: what waits in the lanes is bounded,
// however many recipients a message has.
#include <algorithm>
#include <map>

#include "base/idna.h"
#include "send/active.h"

namespace relais::send {
namespace {

// Of one turn: jobs, and recipients that no job can be made for.
constexpr std::size_t jobs_at_once = 16;
constexpr std::size_t others_at_once = 200;
// Of one turn: domains that have enough jobs and are passed over.
constexpr unsigned asides_at_once = 16;
// Messages that are looked at between two looks at the events.
constexpr std::size_t turns_at_once = 64;
// Jobs of all such messages that may wait in the lanes. A job and its destination take about a kilobyte.
constexpr std::size_t bulk_limit = 8000;
// So many go in the order of their domains' names, as who reads the log expects; more in any order.
constexpr std::size_t few = 100;

void name_domains(std::vector<Plan::Planned>& planned, const queue::Recipients& recipients) {
    std::map<std::string, std::uint32_t> domains;
    const auto domain_of = [&](const Plan::Planned& each) {
        const std::string_view address = recipients.address(each.recipient);
        return comparable(address.substr(std::min(address.size(), address.rfind('@'))));
    };
    for (const Plan::Planned& each : planned) domains[domain_of(each)] = 0;
    for (std::uint32_t next = 0; auto& [name, number] : domains) number = next++;
    for (Plan::Planned& each : planned) each.domain = domains.at(domain_of(each));
}

}  // namespace

// Recipients of one job to be.
struct Sender::Group {
    Channel channel = Channel::remote;
    std::string name, user;  // of the destination; user: of a local one
    std::vector<std::uint32_t> recipients;
};

struct Sender::Turn {
    bool first = true;
    std::vector<Group> groups;
    std::vector<std::uint32_t> too_long;
    unsigned asides = 0;
};

// Gives open recipients to their destinations: the first ones now, the others in turns with other messages.
void Sender::distribute(Active& active, bool forced) {
    // Others of it may be under way: what becomes of these is not one destination's affair.
    const bool alone = active.running + active.queued + active.elsewhere + active.planned == 0;
    plan_open(active);
    active.forced_at = forced ? now() : 0;
    known_.find(active.id())->destination = 0;
    if (!active.in_turns) place_turn(active, alone);
    if (active.planned > 0 && !std::exchange(active.in_turns, true)) in_turns_.push_back(active.id());
    settle(active);
}

void Sender::plan_open(Active& active) {
    const queue::Recipients& recipients = active.stored.envelope.recipients;
    std::vector<Plan::Planned> open;
    open.reserve(active.remaining);
    for (std::uint32_t i = 0; i < active.states.size(); ++i) {
        if (active.states[i] != RecipientState::open) continue;
        open.push_back({i, Plan::domain_key(recipients.address(i))});
        active.set(i, RecipientState::planned);
    }
    if (open.size() > 1 && open.size() <= few) name_domains(open, recipients);
    active.plan.add(std::move(open));
}

// alone: nothing else of the message is under way.
void Sender::place_turn(Active& active, bool alone) {
    Turn turn{!active.in_turns, {}, {}};
    while (gather(active, turn)) {
    }
    const auto same = [&](const Group& group) {
        return group.channel == turn.groups[0].channel && group.name == turn.groups[0].name;
    };
    const bool single = alone && turn.first && active.plan.empty() && turn.too_long.empty() &&
                        !turn.groups.empty() && std::all_of(turn.groups.begin(), turn.groups.end(), same);
    if (single && turn.groups[0].channel == Channel::remote) {
        const std::uint32_t number = remote_.lane.destination(turn.groups[0].name)->number;
        // A number that is too large for it counts as unknown.
        known_.find(active.id())->destination =
            number <= KnownMessages::last_destination ? number & KnownMessages::last_destination : 0;
    }
    const std::uint8_t line = !turn.first ? bulk_line : active.is_new ? 0 : 1;
    for (Group& group : turn.groups) place_recipients(active, std::move(group), line, single);
    if (!turn.too_long.empty())
        fail_all(active, turn.too_long, "Sorry, this address is too long for a delivery. (#5.1.3)");
}

// Takes the next recipient out of the plan. False when the turn is over.
bool Sender::gather(Active& active, Turn& turn) {
    const auto next = active.plan.next();
    if (!next) return false;
    const queue::Envelope& envelope = active.stored.envelope;
    const Route route = rewrite(settings_.rules, envelope.recipients[*next].address);
    active.channels[*next] = route.channel;
    if (route.address.size() >= address_field ||
        expand_verp(envelope.sender, route.plain).size() >= address_field) {
        turn.too_long.push_back(*next);
        active.plan.advance();
        return turn.too_long.size() < others_at_once;
    }
    const std::size_t most = is_verp(envelope.sender)            ? 1
                             : envelope.recipients.any_options() ? order_option_limit
                                                                 : order_recipient_limit;
    std::string name = destination_name(route);
    const bool joins = !turn.groups.empty() && !route.is_local() &&
                       turn.groups.back().channel == Channel::remote && turn.groups.back().name == name &&
                       turn.groups.back().recipients.size() < most;
    if (!joins) {
        if (turn.groups.size() == jobs_at_once) return false;
        const Destination* const destination = side_of(route.channel).lane.find(name);
        if (!turn.first && destination != nullptr && Lane::is_full(*destination) &&
            !Lane::backs_off(*destination, now()))
            return active.plan.put_aside() && ++turn.asides < asides_at_once;
        turn.groups.push_back({route.channel, std::move(name), route.is_local() ? user_name(route) : "", {}});
    }
    turn.groups.back().recipients.push_back(*next);
    active.plan.advance();
    return true;
}

// One job, unless the destination cannot take it now.
void Sender::place_recipients(Active& active, Group group, std::uint8_t line, bool single) {
    Side& side = side_of(group.channel);
    const DestinationPtr destination = side.lane.destination(group.name, group.user);
    const Share& share = *destination->share;
    // One that has backed off since then has been tried for this message.
    const bool forced = active.forced_at != 0 &&
                        (line != bulk_line || share.backoff_until - share.backoff_span < active.forced_at);
    if (forced && Lane::backs_off(*destination, now())) side.lane.forget_backoff(destination);
    const bool backs_off = Lane::backs_off(*destination, now());
    // As long as the window is half empty many jobs do no harm.
    const bool may_wait =
        single && !forced && (share.probing || new_octets_ + old_octets_ > window_limit / 2);
    if (backs_off || (may_wait && !side.lane.has_room(*destination, now(), active.priority() > 0)))
        return leave_open(active, group.recipients, side.channel, *destination);
    for (const std::uint32_t recipient : group.recipients) active.set(recipient, RecipientState::queued);
    side.lane.add(destination, Job{active.id(), active.load, std::move(group.recipients), line, rules_,
                                   active.priority(), now()});
}

// Each has a part of what may wait in the lanes, and one that has nothing there goes on in any case.
bool Sender::may_have_turn(const Active& active) const {
    if (active.stage != Stage::working || active.failure_octets > record_text_limit) return false;
    if (active.queued == 0) return true;
    return local_.lane.waiting_bulk() + remote_.lane.waiting_bulk() < bulk_limit &&
           active.queued < std::max(jobs_at_once, bulk_limit / in_turns_.size());
}

// True if more can be placed at once.
bool Sender::take_turns() {
    bool more = false;
    for (std::size_t left = std::min(in_turns_.size(), turns_at_once); left > 0; --left) {
        const queue::MessageId id = in_turns_.front();
        in_turns_.pop_front();
        const auto found = window_.find(id);
        if (found == window_.end() || !found->second->in_turns) continue;
        Active& active = *found->second;
        if (active.planned == 0) {
            active.in_turns = false;
            continue;
        }
        in_turns_.push_back(id);
        if (!may_have_turn(active)) continue;
        const std::uint32_t before = active.planned;
        place_turn(active, false);
        more = more || active.planned < before;
        settle(active);
    }
    return more;
}

// What counts the octets of that message.
std::size_t& Sender::octets_beside(const Active& active) {
    return active.is_huge ? huge_octets_ : active.is_new ? new_octets_ : old_octets_;
}

// Of a message that is loaded beside the huge ones. Its recipients take somewhat more than the octets of its
// envelope.
std::uint64_t Sender::envelope_most() const {
    if (huge_octets_ == 0) return UINT64_MAX;
    return std::max<std::uint64_t>(huge_envelope, (huge_limit - std::min(huge_octets_, huge_limit)) / 2);
}

void Sender::wait_for_huge(queue::MessageId id, KnownMessages::Entry& entry) {
    if (entry.place != Place::fresh) entry.place = Place::due;
    if (std::find(huge_waiting_.begin(), huge_waiting_.end(), id) == huge_waiting_.end())
        huge_waiting_.push_back(id);
}

// A huge message has left: those that wait for that look whether there is room.
void Sender::call_huge() {
    for (const queue::MessageId id : std::exchange(huge_waiting_, {})) {
        KnownMessages::Entry* entry = known_.find(id);
        if (entry == nullptr) continue;
        if (entry->place == Place::fresh) fresh_.push_back(id);
        if (entry->place == Place::due) known_.schedule(*entry, now());
    }
}

}  // namespace relais::send
