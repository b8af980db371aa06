#include "queue/store.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "queue/test_home.h"

namespace relais::queue {
namespace {

class StoreTest : public testing::Test {
  protected:
    // A whole message file, as qmail-queued leaves it.
    void put(MessageId id, const std::string& body, const std::vector<std::string>& recipients) {
        Envelope envelope{100, 0, Origin::user, "sender@example.org", {}};
        for (const std::string& recipient : recipients)
            envelope.recipients.push_back({recipient, Mark::to_do, 0});
        const std::string octets = encode_envelope(envelope);
        Checksum sum;
        sum.update(body);
        sum.update(octets);
        write_file(message_path(home, id), body + octets + encode_status({}) +
                                               encode_footer({body.size(), octets.size(), sum.value()}));
    }
    static void write_file(const std::string& path, const std::string& content) {
        std::ofstream(path, std::ios::binary) << content;
    }
    static std::string content_of(const std::string& path) {
        return read_file(path, std::size_t{1} << 30).value();
    }
    Load load(MessageId id, bool verify = true) { return store.load(id, message, verify); }

    TestHome directory;
    control::Home home = directory.home();
    Store store{home};
    StoredMessage message;
};

// Written by the first version of relais: its queue goes on for good.
TEST_F(StoreTest, AFileOfFormatOneGoesOn) {
    write_file(message_path(home, 1796020080142330), content_of("tests/golden/queue/format-1"));
    ASSERT_EQ(load(1796020080142330), Load::whole);
    EXPECT_EQ(message.envelope.sender, "anna@far.test");
    ASSERT_EQ(message.envelope.recipients.size(), 2u);
    EXPECT_EQ(message.envelope.recipients[1].address, "carl@mail.test");
    EXPECT_FALSE(message.envelope.recipients[0].options.said());
    EXPECT_EQ(message.envelope.options.submitter.kind, mail::Submitter::Kind::stranger);
    store.mark(1796020080142330, message.envelope.recipients[0], Mark::done, false);
    ASSERT_EQ(load(1796020080142330), Load::whole);
    EXPECT_EQ(message.envelope.recipients[0].mark, Mark::done);
}

TEST_F(StoreTest, AFileOfALaterFormatIsNotCalledDamaged) {
    std::string octets = content_of("tests/golden/queue/format-1");
    octets[octets.size() - footer_size + 7] = '3';
    write_file(message_path(home, 1000), octets);
    EXPECT_EQ(load(1000), Load::another_version);
    EXPECT_EQ(load(1000, false), Load::another_version);
}

TEST_F(StoreTest, LoadsSmallAndLargeMessages) {
    // Around the size that one read takes, and with an envelope larger than that.
    std::vector<std::string> many;
    for (int i = 0; i < 5000; ++i) many.push_back("recipient" + std::to_string(i) + "@example.net");
    MessageId id = 1000;
    for (const std::size_t size : {0, 1, 5000, 65000, 65100, 65300, 65536, 70000, 1000000}) {
        for (const auto& recipients : {std::vector<std::string>{"a@example.net"}, many}) {
            put(++id, std::string(size, 'm'), recipients);
            ASSERT_EQ(load(id), Load::whole) << size;
            EXPECT_EQ(message.message_size, size);
            EXPECT_EQ(message.envelope.recipients.size(), recipients.size());
            EXPECT_EQ(message.envelope.recipients.back().address, recipients.back());
        }
    }
    EXPECT_EQ(load(999), Load::missing);
}

TEST_F(StoreTest, WhatItsWriterHasNotSyncedIsUnfinishedThoughItLooksWhole) {
    put(1, "body", {"a@example.net"});
    Fd writer(::open(message_path(home, 1).c_str(), O_RDWR));
    lock_while_written(writer.get());
    EXPECT_EQ(load(1), Load::unfinished);
    writer.reset();
    EXPECT_EQ(load(1), Load::whole);
    // A delivery has a descriptor that is good for reading only: it cannot make a message look unfinished.
    const Fd reader = store.open_for_delivery(1);
    lock_while_written(reader.get());
    EXPECT_EQ(load(1), Load::whole);
}

TEST_F(StoreTest, WhatIsNoFileIsDamagedAndNothingWaitsForIt) {
    ASSERT_EQ(::mkfifo(message_path(home, 1).c_str(), 0600), 0);
    ASSERT_EQ(::symlink("/etc/passwd", message_path(home, 2).c_str()), 0);
    ASSERT_EQ(::mkdir(message_path(home, 3).c_str(), 0700), 0);
    for (const MessageId id : {1, 2, 3}) EXPECT_EQ(load(id), Load::damaged);
}

TEST_F(StoreTest, MarksAndStatusLastAndLeaveTheChecksumRight) {
    put(77, "body\n", {"a@x", "b@x", "c@x"});
    ASSERT_EQ(load(77), Load::whole);
    store.mark(77, message.envelope.recipients[0], Mark::done, false);
    store.mark(77, message.envelope.recipients[2], Mark::failed, true);
    message.status = {true, false, 3, 1700000000, 1600000000, 0, "connection refused"};
    store.write_status(message);
    StoredMessage again;
    ASSERT_EQ(store.load(77, again, true), Load::whole);
    EXPECT_EQ(again.envelope.recipients[0].mark, Mark::done);
    EXPECT_EQ(again.envelope.recipients[1].mark, Mark::to_do);
    EXPECT_EQ(again.envelope.recipients[2].mark, Mark::failed);
    EXPECT_EQ(again.status.last_error, "connection refused");
    EXPECT_EQ(again.status.tries, 3u);
}

TEST_F(StoreTest, ATruncatedMessageIsDamagedAtEveryLength) {
    put(64, "Subject: x\n\nbody\n", {"a@x", "b@x"});
    const std::string whole = content_of(message_path(home, 64));
    for (std::size_t size = 0; size < whole.size(); ++size) {
        write_file(message_path(home, 64), whole.substr(0, size));
        EXPECT_EQ(load(64), Load::damaged) << size;
    }
}

TEST_F(StoreTest, AFifoHoldsNobodyUp) {
    ASSERT_EQ(::mkfifo(message_path(home, 64).c_str(), 0600), 0);
    ::alarm(10);
    EXPECT_EQ(load(64), Load::damaged);
    ASSERT_EQ(::mkfifo(bounce_path(home, 64).c_str(), 0600), 0);
    EXPECT_NO_THROW(store.read_bounce(64, 100));
    ::alarm(0);
}

TEST_F(StoreTest, AFlippedBitIsSeenAnywhereButInMarksAndStatus) {
    put(64, "Subject: x\n\nbody\n", {"a@x"});
    const std::string whole = content_of(message_path(home, 64));
    const std::size_t status_at = whole.size() - footer_size - status_size;
    ASSERT_EQ(load(64), Load::whole);
    const std::uint64_t mark_at = message.envelope.recipients[0].mark_offset;
    for (std::size_t at = 0; at < whole.size(); ++at) {
        std::string flipped = whole;
        flipped[at] = static_cast<char>(flipped[at] ^ 0x04);
        write_file(message_path(home, 64), flipped);
        const bool in_status = at >= status_at && at < status_at + status_size;
        // "relaisQ5" is not for us to judge.
        const bool in_version = at == whole.size() - footer_size + 7;
        EXPECT_EQ(load(64), in_status    ? Load::whole
                            : in_version ? Load::another_version
                                         : Load::damaged)
            << at << " mark at " << mark_at;
    }
}

TEST_F(StoreTest, BounceTextsGrowAndGoWithTheMessage) {
    put(130, "m", {"a@x"});
    EXPECT_FALSE(store.read_bounce(130, 100));
    store.append_bounce(130, "<a@x>:\nno\n\n");
    store.append_bounce(130, "<b@x>:\nno\n\n");
    EXPECT_EQ(store.read_bounce(130, 1000), "<a@x>:\nno\n\n<b@x>:\nno\n\n");
    EXPECT_EQ(store.read_bounce(130, 6), "<a@x>:");
    store.remove(130);
    EXPECT_FALSE(store.read_bounce(130, 1000));
    EXPECT_EQ(load(130), Load::missing);
    store.remove(130);
}

TEST_F(StoreTest, ScanSeesMessagesAndNothingElse) {
    for (const MessageId id : {1, 64, 65, 1000000}) put(id, "m", {"a@x"});
    write_file(message_directory(home, 3) + "/4", "in the wrong directory");
    write_file(message_directory(home, 3) + "/3.new", "");
    write_file(message_directory(home, 3) + "/003", "");
    std::set<MessageId> seen;
    store.scan([&](MessageId id) { return seen.insert(id).second; });
    EXPECT_EQ(seen, (std::set<MessageId>{1, 64, 65, 1000000}));
    EXPECT_EQ(store.count(), 4u);
    int visits = 0;
    store.scan([&](MessageId) { return ++visits < 2; });
    EXPECT_EQ(visits, 2);
}

TEST_F(StoreTest, ADeliveryDescriptorIsReadOnlyAndGoneFilesThrow) {
    put(5, "message", {"a@x"});
    const Fd fd = store.open_for_delivery(5);
    EXPECT_EQ(::fcntl(fd.get(), F_GETFL) & O_ACCMODE, O_RDONLY);
    EXPECT_EQ(::fcntl(fd.get(), F_GETFD), FD_CLOEXEC);
    EXPECT_THROW(store.open_for_delivery(6), Error);
    EXPECT_THROW(store.mark(6, {}, Mark::done, false), Error);
}

}  // namespace
}  // namespace relais::queue
