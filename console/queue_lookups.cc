#include <algorithm>
#include <map>

#include "base/error.h"
#include "base/printable.h"
#include "base/text.h"
#include "base/time.h"
#include "console/lookups.h"
#include "queue/change.h"
#include "queue/describe.h"
#include "queue/select.h"
#include "setup/top_picture.h"

namespace relais::console {
namespace {

using queue::SeenMessage;

constexpr std::size_t reason_limit = 200;
constexpr std::size_t domains_of_a_message = 50;

struct Age {
    std::int64_t below;
    const char* word;
};
constexpr Age ages[] = {{600, "10 minutes"}, {3600, "1 hour"},    {14'400, "4 hours"},
                        {86'400, "1 day"},   {259'200, "3 days"}, {INT64_MAX, "older"}};

std::string text_of(std::int64_t number) {
    return std::to_string(number);
}

// What a group has in common: addresses and ids in it would make each message a group.
std::string reason_of(const SeenMessage& seen) {
    std::string text = queue::reason(seen);
    text.resize(std::min(text.size(), reason_limit));
    return printable(text);
}

std::string domain_of(std::string_view address) {
    const std::size_t at = address.rfind('@');
    return lower(at == std::string_view::npos ? "" : address.substr(at + 1));
}

// Of the recipients that are open.
std::vector<std::string> destinations_of(const SeenMessage& seen) {
    std::vector<std::string> all;
    for (const auto& recipient : seen.message.envelope.recipients) {
        if (recipient.mark != queue::Mark::to_do || all.size() == domains_of_a_message) continue;
        std::string domain = domain_of(recipient.address);
        if (std::find(all.begin(), all.end(), domain) == all.end()) all.push_back(std::move(domain));
    }
    if (all.empty()) all.emplace_back();
    return all;
}

queue::Filter filter_of(const Fields& arguments) {
    queue::Filter filter;
    if (!arguments[0].empty()) filter.domain = arguments[0];
    if (!arguments[2].empty()) filter.states = {arguments[2]};
    if (!arguments[3].empty()) filter.sender = arguments[3] == "<>" ? "" : arguments[3];
    if (!arguments[4].empty()) filter.recipient = arguments[4];
    return filter;
}

// "sender, recipient, further ones".
void add_addresses(Fields& row, const SeenMessage& seen) {
    const auto& all = seen.message.envelope.recipients;
    auto shown = std::find_if(all.begin(), all.end(),
                              [](const auto& each) { return each.mark == queue::Mark::to_do; });
    if (shown == all.end()) shown = all.begin();
    row.push_back(printable(seen.message.envelope.sender));
    row.push_back(all.empty() ? "" : printable((*shown).address));
    row.push_back(text_of(all.empty() ? 0 : static_cast<std::int64_t>(all.size()) - 1));
}

Fields message_row(const SeenMessage& seen, const send::RewriteRules& rules, const std::string& why) {
    Fields row = {"message",
                  std::to_string(seen.id()),
                  text_of(seen.birth()),
                  std::to_string(seen.message.message_size),
                  std::string(queue::states_of(seen).front()),
                  std::to_string(seen.message.status.tries),
                  text_of(queue::next_try(seen, rules))};
    add_addresses(row, seen);
    row.push_back(why);
    return row;
}

struct Group {
    std::uint64_t messages = 0;
    std::uint64_t octets = 0;
    std::uint64_t held = 0;
    std::int64_t oldest = INT64_MAX;
    std::int64_t next = 0;

    void add(const SeenMessage& seen, std::int64_t next_try) {
        ++messages;
        octets += seen.message.message_size;
        held += seen.message.status.hold;
        oldest = std::min(oldest, seen.birth());
        if (next_try != 0 && (next == 0 || next_try < next)) next = next_try;
    }
};
using Groups = std::map<std::pair<std::string, std::string>, Group>;

void add_groups(Rows& rows, const Groups& groups, std::size_t most) {
    std::vector<Groups::const_iterator> order;
    for (auto at = groups.begin(); at != groups.end(); ++at) order.push_back(at);
    std::stable_sort(order.begin(), order.end(),
                     [](auto a, auto b) { return a->second.messages > b->second.messages; });
    if (order.size() > most) order.resize(most);
    for (const auto at : order) {
        const Group& group = at->second;
        rows.push_back({"group", at->first.first, at->first.second, std::to_string(group.messages),
                        std::to_string(group.octets), text_of(group.oldest), text_of(group.next),
                        std::to_string(group.held)});
    }
}

}  // namespace

Rows queue_rows(const control::Home& home, const Fields& arguments, const LookLimits& limits) {
    const send::RewriteRules rules = queue::read_rules(home);
    const std::string wanted = lower(arguments[0]);
    const std::int64_t now = now_seconds();
    Groups groups;
    Rows messages;
    std::size_t counts[std::size(ages)] = {};
    std::size_t looked = 0;
    bool cut = false;
    queue::select(home, filter_of(arguments), [&](const SeenMessage& seen) {
        if (looked == limits.messages) {
            cut = true;
            return false;
        }
        const std::string why = reason_of(seen);
        if (!arguments[1].empty() && why != arguments[1]) return true;
        ++looked;
        const auto* age = std::find_if(std::begin(ages), std::end(ages),
                                       [&](const Age& each) { return now - seen.birth() < each.below; });
        ++counts[age - std::begin(ages)];
        for (const std::string& domain : destinations_of(seen))
            if (wanted.empty() || domain == wanted)
                groups[{domain, why}].add(seen, queue::next_try(seen, rules));
        if (messages.size() < limits.shown) messages.push_back(message_row(seen, rules, why));
        return true;
    });
    Rows rows = {{"total", std::to_string(looked), cut ? "cut" : ""}};
    for (std::size_t i = 0; i < std::size(ages); ++i)
        rows.push_back({"age", ages[i].word, std::to_string(counts[i])});
    add_groups(rows, groups, limits.groups);
    rows.insert(rows.end(), messages.begin(), messages.end());
    return rows;
}

Rows hit_rows(const control::Home& home, const Fields& ids, const Fields& filter) {
    queue::Filter wanted = filter.empty() ? queue::Filter{} : filter_of(filter);
    for (const std::string& id : ids)
        if (const auto number = parse_number(id)) wanted.ids.push_back(*number);
    const std::string why = filter.empty() ? "" : filter[1];
    Rows rows = {{"hits"}};
    queue::select(home, wanted, [&](const SeenMessage& seen) {
        if (!why.empty() && reason_of(seen) != why) return true;
        if (rows.size() == most_messages + 1) {
            rows.push_back({"more"});
            return false;
        }
        Fields row = {"hit", std::to_string(seen.id()), text_of(seen.birth()),
                      std::to_string(seen.message.message_size), std::string(queue::states_of(seen).front())};
        add_addresses(row, seen);
        rows.push_back(row);
        return true;
    });
    return rows;
}

Rows detail_rows(const control::Home& home, const std::string& id) {
    const send::RewriteRules rules = queue::read_rules(home);
    queue::Filter filter;
    filter.ids = {parse_number(id).value_or(0)};
    Rows rows;
    queue::select(home, filter, [&](const SeenMessage& seen) {
        const queue::Surroundings around{rules, now_seconds(), "", "",
                                         "queue/mess/" + std::to_string(seen.id() % 64) + "/" + id};
        rows.push_back({"text", queue::details(seen, around), std::string(queue::states_of(seen).front())});
        return false;
    });
    if (rows.empty()) rows.push_back({"none"});
    return rows;
}

Rows act_rows(const control::Home& home, const Fields& arguments) {
    constexpr send::ControlVerb what[] = {send::ControlVerb::hold, send::ControlVerb::release,
                                          send::ControlVerb::retry, send::ControlVerb::remove,
                                          send::ControlVerb::bounce};
    const auto* act = std::find(std::begin(acts), std::end(acts), arguments.at(0));
    if (act == std::end(acts)) throw_permanent("there is no such act");
    queue::Changer changer(home);
    Rows rows;
    for (std::size_t i = 1; i < arguments.size(); ++i) {
        const auto answer =
            changer.change(what[act - std::begin(acts)], parse_number(arguments[i]).value_or(0));
        rows.push_back({answer.ok ? "done" : "not", arguments[i], printable(trim(answer.text))});
    }
    return rows;
}

Rows sender_rows(const std::optional<SenderTexts>& answers, const LookLimits& limits) {
    if (!answers) return {{"silent"}};
    Rows rows = {{"asked"}};
    for (const setup::TopDestination& each : setup::destinations_of(answers->stat, answers->running)) {
        if (rows.size() > limits.groups) break;
        rows.push_back({"now", each.name, std::to_string(each.running), std::to_string(each.queued),
                        std::to_string(each.waiting), std::to_string(each.usual),
                        std::to_string(each.longest), each.trouble});
    }
    return rows;
}

}  // namespace relais::console
