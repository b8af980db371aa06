// For tests of Sender: one without processes, beside a queue of its own.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "send/sender.h"
#include "send/slow_work.h"
#include "send/test_queue.h"

namespace relais::send {

inline constexpr std::uint64_t second = 1'000'000;
inline constexpr queue::MessageId birth = 1'700'000'000 * second;

// A qmail-send without processes: time stands still until it is told, and spawners are the test.
class SenderTest : public testing::Test {
  protected:
    SenderTest() { make(); }

    void make() {
        Settings settings;
        settings.rules = RewriteRules("local.example", {"local.example"}, {}, {"virtual.example:vuser"});
        settings.concurrency_local = local_concurrency;
        settings.concurrency_remote = remote_concurrency;
        settings.queue_lifetime = lifetime;
        settings.delay_warning = delay_warning;
        settings.facts = facts;
        settings.hold_lifetime = hold_lifetime;
        sender = std::make_unique<Sender>(queue.home(), settings, out, 1);
        pass(0);
    }
    // A new start, with destinations that have taken mail before.
    void know(const std::vector<std::string>& hosts) {
        for (const std::string& host : hosts)
            KnownDestinations(queue::destinations_path(queue.home()), 1).add(host, 1'700'000'000);
        make();
    }
    // Lets time pass, on both clocks.
    void pass(std::uint64_t seconds) {
        wall += seconds * second;
        monotonic += seconds * 1000;
        sender->set_time(wall, monotonic);
    }
    void work() {
        while (sender->work()) {
        }
    }
    void accept(queue::MessageId id, const std::string& from, const std::vector<std::string>& to) {
        queue.put(id, from, to);
        sender->hint(id);
    }
    void answer(const TestOutlets::Order& order, Outcome outcome, const std::string& text = "text",
                bool unreachable = false, const std::string& group = "") {
        Report report;
        report.delivery = order.delivery;
        report.recipients.assign(order.recipients.size(), {outcome, text});
        report.connection_failed = unreachable;
        report.mx_group = group;
        sender->report(order.channel, report);
    }
    void do_records() {
        for (const FailureRecord& record : std::exchange(out.records, {}))
            sender->failure_recorded(record.message, record_failure(queue.store(), record));
    }
    std::vector<TestOutlets::Order> take_orders() {
        work();
        return std::exchange(out.orders, {});
    }

    TestQueue queue;
    TestOutlets out;
    unsigned local_concurrency = 10;
    unsigned remote_concurrency = 20;
    std::int64_t lifetime = 604800;
    std::int64_t delay_warning = 0;
    std::int64_t hold_lifetime = 0;
    bool facts = false;
    std::uint64_t wall = birth + 10;
    std::uint64_t monotonic = 5000;
    std::unique_ptr<Sender> sender;
};

}  // namespace relais::send
