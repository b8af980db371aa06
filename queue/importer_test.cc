#include "queue/importer.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "queue/store.h"
#include "queue/test_home.h"

namespace relais::queue {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t birth = 1'000'000'000'000'000;  // 2001

Fd file_with(std::string_view text) {
    Fd fd(::memfd_create("message", MFD_CLOEXEC));
    EXPECT_EQ(::write(fd.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
    ::lseek(fd.get(), 0, SEEK_SET);
    return fd;
}

ImportedMessage example(const Fd& body, std::string key, std::uint64_t born = birth) {
    ImportedMessage message{.key = std::move(key), .birth = born, .body = body.get()};
    message.envelope.sender = "a@x.example";
    message.envelope.recipients.push_back({"b@x.example", Mark::done});
    message.envelope.recipients.push_back({"c@x.example"});
    message.envelope.recipients.push_back({"d@x.example", Mark::failed});
    message.bounce = "<d@x.example>:\nno\n\n";
    return message;
}

TEST(Importer, BringsAgeMarksAndBounce) {
    const TestHome home;
    const Fd body = file_with("Subject: x\n\nhello\n");
    {
        Importer importer(home.home());
        importer.add(example(body, "1-18-5"));
        EXPECT_EQ(Store(home.home()).count(), 0U);
        importer.commit();
        EXPECT_TRUE(importer.has("1-18-5"));
    }
    StoredMessage message;
    ASSERT_EQ(Store(home.home()).load(birth, message, true), Load::whole);
    EXPECT_EQ(message.message_size, 18U);
    EXPECT_EQ(message.envelope.sender, "a@x.example");
    ASSERT_EQ(message.envelope.recipients.size(), 3U);
    EXPECT_EQ(message.envelope.recipients.mark(0), Mark::done);
    EXPECT_EQ(message.envelope.recipients.mark(1), Mark::to_do);
    EXPECT_EQ(message.envelope.recipients.mark(2), Mark::failed);
    EXPECT_EQ(Store(home.home()).read_bounce(birth, 1000), "<d@x.example>:\nno\n\n");
    struct stat status {};
    ASSERT_EQ(::stat(message_path(home.home(), birth).c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777, 0660U);
    EXPECT_EQ(read_ledger(home.home()).count("1-18-5"), 1U);
}

TEST(Importer, AMessageWithoutATimeIsOneOfNow) {
    const TestHome home;
    Importer importer(home.home());
    for (const char* key : {"1", "2"}) importer.add(example(file_with("x"), key, 0));
    importer.commit();
    EXPECT_EQ(Store(home.home()).count(), 2U);  // a message "0" would be nobody's
}

TEST(Importer, MessagesOfTheSameMomentGetNumbersOfTheirOwn) {
    const TestHome home;
    Importer importer(home.home());
    for (const char* key : {"1", "2", "3"}) importer.add(example(file_with("x"), key));
    importer.commit();
    EXPECT_EQ(Store(home.home()).count(), 3U);
    StoredMessage message;
    for (const MessageId id : {birth, birth + 1, birth + 2})
        EXPECT_EQ(Store(home.home()).load(id, message, true), Load::whole);
}

TEST(Importer, ABirthThatLiesAheadCountsAsNow) {
    const TestHome home;
    Importer importer(home.home());
    importer.add(example(file_with("x"), "1", UINT64_MAX / 2));
    importer.commit();
    MessageId found = 0;
    Store(home.home()).scan([&](MessageId id) {
        found = id;
        return true;
    });
    EXPECT_LT(found, UINT64_MAX / 4);
    EXPECT_GT(found, birth);
}

TEST(Importer, WhatWasHeldIsHeldByHandAndByNoDecision) {
    const TestHome home;
    Importer importer(home.home());
    const Fd body = file_with("x");
    ImportedMessage held = example(body, "1");
    held.envelope.origin = Origin::network;
    held.envelope.options.hold = true;
    importer.add(held);
    importer.commit();
    StoredMessage message;
    ASSERT_EQ(Store(home.home()).load(birth, message, true), Load::whole);
    EXPECT_TRUE(message.status.hold);
    EXPECT_TRUE(message.status.by_hand);
    EXPECT_FALSE(message.envelope.options.hold);
}

TEST(Importer, WhatWasNotCommittedLeavesNothing) {
    const TestHome home;
    {
        Importer importer(home.home());
        importer.add(example(file_with("x"), "1"));
    }
    EXPECT_TRUE(fs::is_empty(message_directory(home.home(), birth % split_count)));
    EXPECT_TRUE(fs::is_empty(bounce_directory(home.home(), birth % split_count)));
    EXPECT_TRUE(read_ledger(home.home()).empty());
}

// What kill -9 leaves: files beside, of which the ledger knows one.
TEST(Importer, AnInterruptedOneIsEnded) {
    const TestHome home;
    const std::string mess = message_directory(home.home(), birth % split_count) + "/";
    {
        Importer importer(home.home());
        importer.add(example(file_with("x"), "1"));
        importer.commit();
    }
    fs::rename(mess + std::to_string(birth), mess + "import." + std::to_string(birth));
    const MessageId other = birth + split_count;
    std::ofstream(mess + "import." + std::to_string(other)) << "half";
    std::ofstream(bounce_path(home.home(), other)) << "half";
    std::ofstream(home.home().path("queue/imported"), std::ios::app) << "2 10000";
    Importer importer(home.home());
    EXPECT_TRUE(importer.has("1"));
    EXPECT_FALSE(fs::exists(mess + "import." + std::to_string(other)));
    EXPECT_FALSE(fs::exists(bounce_path(home.home(), other)));
    StoredMessage message;
    EXPECT_EQ(Store(home.home()).load(birth, message, true), Load::whole);
    importer.add(example(file_with("x"), "2"));
    importer.commit();
    EXPECT_EQ(read_ledger(home.home()).size(), 2U);
}

TEST(Importer, RefusesWhileADaemonHasItsLock) {
    const TestHome home;
    std::ofstream(queued_lock_path(home.home())).put('x');
    const QueueLocks held = lock_queue(home.home());
    EXPECT_THROW(lock_queue(home.home()), Error);
}

}  // namespace
}  // namespace relais::queue
