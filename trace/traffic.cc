#include "trace/traffic.h"

#include <algorithm>

#include "base/printable.h"
#include "base/text.h"

namespace relais::trace {
namespace {

constexpr std::size_t trouble_shown = 200;

template <class Value>
Value& of_name(std::map<std::string, Value>& all, const std::string& name) {
    return all.size() < Traffic::most || all.contains(name) ? all[name] : all[std::string(Traffic::others)];
}

}  // namespace

void Traffic::add(const Record& record) {
    if (record.kind == "start") {
        if (open_.size() >= most) open_.clear();
        const std::string_view address = record.field("rcpt");
        const std::size_t at = address.rfind('@');
        open_[record.number("delivery")] =
            record.field("channel") == "local"
                ? std::string(here)
                : printable(lower(at == std::string_view::npos ? address : address.substr(at + 1)));
    } else if (record.kind == "delivery") {
        add_delivery(record);
    } else if (record.kind == "accept") {
        add_message(record);
    }
}

void Traffic::add_delivery(const Record& record) {
    const auto known = open_.find(record.number("delivery"));
    if (known == open_.end()) return;
    ++deliveries;
    Deliveries& all = of_name(destinations, known->second);
    open_.erase(known);
    const std::string_view result = record.field("result");
    (result == "success" ? all.success : result == "deferral" ? all.deferral : all.failure) += 1;
    if (result != "success" && record.time >= all.trouble_time) {
        all.trouble = printable(record.field("text").substr(0, trouble_shown));
        all.trouble_time = record.time;
    }
    const std::uint64_t took = record.number("milliseconds");
    if (took == 0) return;
    ++all.timed;
    all.milliseconds += took;
    all.slowest = std::max(all.slowest, took);
}

void Traffic::add_message(const Record& record) {
    ++accepted;
    const std::string login = printable(record.field("login")), ip = printable(record.field("ip"));
    Sent& sent = login.empty() ? of_name(strangers, ip) : of_name(logins, login);
    ++sent.messages;
    sent.octets += record.number("bytes");
    sent.last = std::max(sent.last, record.time);
    if (sent.clients.size() < Sent::most_clients) sent.clients.insert(ip);
    for (const auto& [name, value] : record.fields) sent.recipients += name == "rcpt";
}

}  // namespace relais::trace
