// For tests of qmail-send: a queue in a temporary directory, messages put into it as qmail-queued does, and
// outlets that only remember.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "queue/store.h"
#include "send/sender.h"

namespace relais::send {

class TestQueue {
  public:
    TestQueue() {
        // In memory where that can be had: these tests make thousands of directories and never lose power.
        const std::string where =
            std::filesystem::exists("/dev/shm") ? "/dev/shm" : std::filesystem::temp_directory_path();
        std::string pattern = where + "/relais-send-XXXXXX";
        if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary directory");
        directory_ = pattern;
        std::filesystem::create_directories(directory_ + "/control");
        for (const std::string& path : queue::queue_directories(home()))
            std::filesystem::create_directories(path);
    }
    ~TestQueue() {
        std::error_code ignored;
        std::filesystem::remove_all(directory_, ignored);
    }
    TestQueue(const TestQueue&) = delete;
    TestQueue& operator=(const TestQueue&) = delete;

    control::Home home() const { return control::Home(directory_); }
    queue::Store store() const { return queue::Store(home()); }

    void put(queue::MessageId id, const std::string& sender, const std::vector<std::string>& recipients,
             const std::string& text = "Subject: test\n\nhello\n") const {
        queue::Envelope envelope;
        envelope.uid = 1000;
        envelope.sender = sender;
        for (const std::string& recipient : recipients)
            envelope.recipients.push_back({recipient, queue::Mark::to_do, 0});
        put_encoded(id, envelope, text);
    }
    // What is said of a recipient is said of each.
    void put_envelope(queue::MessageId id, const std::string& sender,
                      const std::vector<std::string>& recipients, queue::Origin origin,
                      const mail::EnvelopeOptions& options, const mail::RecipientOptions& recipient) const {
        queue::Envelope envelope{1000, 0, origin, sender, {}, options};
        for (const std::string& address : recipients)
            envelope.recipients.push_back({address, queue::Mark::to_do, 0, recipient});
        put_encoded(id, envelope, "Subject: test\n\nhello\n");
    }
    bool has(queue::MessageId id) const { return std::filesystem::exists(queue::message_path(home(), id)); }
    // The marks of a message, as "TDF".
    std::string marks(queue::MessageId id) const {
        queue::StoredMessage message;
        if (store().load(id, message, true) != queue::Load::whole) return "?";
        std::string all;
        for (const queue::Recipient& recipient : message.envelope.recipients)
            all += static_cast<char>(recipient.mark);
        return all;
    }

  private:
    void put_encoded(queue::MessageId id, const queue::Envelope& envelope, const std::string& text) const {
        const std::string encoded = queue::encode_envelope(envelope);
        queue::Checksum sum;
        sum.update(text);
        sum.update(encoded);
        const std::string tail =
            queue::encode_status({}) +
            queue::encode_footer({text.size(), encoded.size(), sum.value(), queue::version_of(envelope)});
        std::ofstream(queue::message_path(home(), id), std::ios::binary) << text << encoded << tail;
    }

    std::string directory_;
};

// Remembers orders and does slow work only when told.
class TestOutlets : public Outlets {
  public:
    struct Order {
        Channel channel;
        std::uint64_t delivery;
        queue::MessageId message;
        std::string host, sender;
        std::vector<std::string> recipients;
    };

    bool order(const LocalOrder& order, Fd) override {
        if (full) return false;
        orders.push_back(
            {Channel::local, order.delivery, order.message, "", order.sender, {order.recipient}});
        return true;
    }
    bool order(const RemoteOrder& order, Fd) override {
        if (full) return false;
        orders.push_back(
            {Channel::remote, order.delivery, order.message, order.host, order.sender, order.recipients});
        return true;
    }
    void record(FailureRecord record) override { records.push_back(std::move(record)); }
    void bounce(queue::MessageId id, std::string unrecorded) override {
        bounces.push_back(id);
        bounce_texts.push_back(std::move(unrecorded));
    }
    void report(queue::MessageId id, ReportKind kind, std::string text) override {
        reports.push_back({id, kind, std::move(text)});
    }
    void cut(Channel, unsigned from, std::uint64_t delivery) override { cuts.push_back({from, delivery}); }
    void log(std::string_view line) override { lines.emplace_back(line); }

    bool logged(const std::string& part) const {
        for (const std::string& line : lines)
            if (line.find(part) != std::string::npos) return true;
        return false;
    }

    bool full = false;
    std::vector<Order> orders;
    std::vector<std::pair<unsigned, std::uint64_t>> cuts;
    std::vector<FailureRecord> records;
    std::vector<queue::MessageId> bounces;
    std::vector<std::string> bounce_texts;
    struct Report {
        queue::MessageId id;
        ReportKind kind;
        std::string text;
    };
    std::vector<Report> reports;
    std::vector<std::string> lines;
};

}  // namespace relais::send
