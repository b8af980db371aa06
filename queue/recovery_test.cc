#include "queue/recovery.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/file.h"
#include "queue/message_writer.h"
#include "queue/protocol.h"
#include "queue/test_home.h"

namespace relais::queue {
namespace {

class RecoveryTest : public testing::Test {
  protected:
    MessageId accept(const std::string& body) {
        const MessageDirectories directories(home);
        MessageWriter writer(directories, ledger, 0);
        const MessageId id = writer.create();
        writer.add(body);
        writer.finish({1, 0, Origin::user, "", {}}, encode_submitted_envelope("s@x", {"a@x"}));
        return id;
    }
    static std::string content(const std::string& path) { return read_file(path, 1 << 20).value_or("gone"); }
    static void write(const std::string& path, const std::string& text) {
        std::ofstream(path, std::ios::binary) << text;
    }

    TestHome here;
    control::Home home = here.home();
    Ledger ledger{1, 1000};
};

TEST_F(RecoveryTest, WithoutACheckpointWhatIsNotWholeIsPutAside) {
    const MessageId whole = accept("whole\n");
    const std::string octets = content(message_path(home, whole));
    const MessageId truncated = whole + 1, half = whole + 2, empty = whole + 3;
    write(message_path(home, truncated), octets.substr(0, octets.size() - 1));
    write(message_path(home, half), "half a message");
    write(message_path(home, empty), "");
    const Recovery recovery = recover_messages(home, std::nullopt);
    EXPECT_EQ(recovery.damaged, 2u);
    EXPECT_EQ(recovery.removed, 1u);
    EXPECT_EQ(recovery.kept, 1u);
    EXPECT_EQ(recovery.left_behind, UINT64_MAX);
    EXPECT_EQ(content(damaged_path(home, truncated)), octets.substr(0, octets.size() - 1));
    EXPECT_EQ(content(damaged_path(home, half)), "half a message");
    EXPECT_EQ(Store(home).count(), 1u);
}

TEST_F(RecoveryTest, AFileOfALaterFormatIsLeftAlone) {
    const MessageId whole = accept("it says relaisQ1 in its text\n");
    std::string octets = content(message_path(home, whole));
    octets[octets.size() - footer_size + 7] = '3';
    write(message_path(home, whole), octets);
    const Recovery recovery = recover_messages(home, std::nullopt);
    EXPECT_EQ(recovery.damaged + recovery.removed, 0u);
    EXPECT_EQ(content(message_path(home, whole)), octets);
}

TEST_F(RecoveryTest, AnExtensionIsPartOfTheEnvelope) {
    const MessageDirectories directories(home);
    MessageWriter writer(directories, ledger, 0);
    const MessageId id = writer.create();
    writer.add("text\n");
    mail::EnvelopeOptions options;
    options.submitter = {mail::Submitter::Kind::login, "anna@x", {"@x"}};
    mail::RecipientOptions recipient;
    recipient.notify.success = true;
    writer.finish({1, 0, Origin::network, "", {}}, encode_submitted_envelope("s@x", {"a@x"}),
                  mail::encode_extension(options, {recipient}));
    StoredMessage message;
    ASSERT_EQ(Store(home).load(id, message, true), Load::whole);
    EXPECT_EQ(message.envelope.options, options);
    EXPECT_EQ(message.envelope.recipients[0].options, recipient);
    EXPECT_EQ(recover_messages(home, std::nullopt).kept, 1u);
}

TEST_F(RecoveryTest, WithACheckpointOnlyWhatNeverHadAFooterIsRemoved) {
    const MessageId whole = accept("whole\n");
    const std::string octets = content(message_path(home, whole));
    // An octet of the footer; octets behind it; begun long before the last; begun at the end.
    std::string altered = octets;
    altered[altered.size() - 30] ^= 1;
    write(message_path(home, whole + 1), altered);
    write(message_path(home, whole + 2), octets + "garbage");
    const MessageId long_ago = whole - MessageId{3600} * 1'000'000;
    write(message_path(home, long_ago), octets.substr(0, 20));
    write(message_path(home, whole + 3), octets.substr(0, 20));
    const Recovery recovery = recover_messages(home, long_ago);
    EXPECT_EQ(recovery.removed, 1u);
    EXPECT_EQ(recovery.damaged, 3u);
    for (const MessageId id : {whole + 1, whole + 2, long_ago})
        EXPECT_NE(content(damaged_path(home, id)), "gone");
}

TEST_F(RecoveryTest, WhatIsNoMessageOfOursStaysAndHoldsNothingUp) {
    const MessageId id = accept("x\n");
    std::string newer = content(message_path(home, id));
    newer[newer.size() - footer_size + 7] = '9';
    write(message_path(home, id + 1), newer);
    std::filesystem::create_directory(message_path(home, id + 2));
    std::filesystem::create_symlink("/etc/passwd", message_path(home, id + 3));
    std::filesystem::create_symlink("nowhere", message_path(home, id + 4));
    const Recovery recovery = recover_messages(home, 0);
    EXPECT_EQ(recovery.left_behind, UINT64_MAX);
    EXPECT_EQ(recovery.removed + recovery.damaged, 0u);
    EXPECT_EQ(content(message_path(home, id + 1)), newer);
    for (const MessageId each : {id + 2, id + 3, id + 4})
        EXPECT_TRUE(std::filesystem::exists(std::filesystem::symlink_status(message_path(home, each))));
}

TEST_F(RecoveryTest, AWholeMessageInAnotherSplitComesHome) {
    const MessageId id = accept("x\n");
    const std::string foreign = message_directory(home, (id + 5) % split_count) + "/" + std::to_string(id);
    std::filesystem::rename(message_path(home, id), foreign);
    const std::string half = message_directory(home, (id + 6) % split_count) + "/" + std::to_string(id + 1);
    write(half, "half");
    const Recovery recovery = recover_messages(home, id + 100);
    EXPECT_EQ(recovery.kept, 1u);
    StoredMessage message;
    EXPECT_EQ(Store(home).load(id, message, true), Load::whole);
    EXPECT_FALSE(std::filesystem::exists(foreign));
    EXPECT_EQ(content(half), "half");
}

TEST_F(RecoveryTest, BounceTextsWithoutAMessageGo) {
    const MessageId id = accept("x\n");
    const Store store(home);
    write(damaged_path(home, id + 1), "damaged");
    for (const MessageId each : {id, id + 1, id + 2, id + 3}) store.append_bounce(each, "<a@x>:\nno\n\n");
    EXPECT_EQ(remove_orphan_bounces(home, {message_directory(home, (id + 3) % split_count)}), 1u);
    for (const MessageId each : {id, id + 1, id + 3}) EXPECT_TRUE(store.read_bounce(each, 10));
    EXPECT_FALSE(store.read_bounce(id + 2, 10));
}

TEST_F(RecoveryTest, MissingDirectoriesAreMadeAgain) {
    std::filesystem::remove_all(message_directory(home, 9));
    std::filesystem::remove_all(bounce_directory(home, 9));
    EXPECT_EQ(make_missing_directories(home),
              (std::vector<std::string>{message_directory(home, 9), bounce_directory(home, 9)}));
    EXPECT_TRUE(make_missing_directories(home).empty());
}

TEST_F(RecoveryTest, ADirectoryThatIsRemovedUnderWayIsMadeAgain) {
    const MessageDirectories directories(home);
    const Store store(home);
    StoredMessage message;
    EXPECT_EQ(store.load(accept("first\n"), message, true), Load::whole);
    for (std::size_t split = 0; split < split_count; ++split)
        std::filesystem::remove_all(message_directory(home, split));
    MessageWriter writer(directories, ledger, 0);
    const MessageId id = writer.create();
    writer.finish({1, 0, Origin::user, "", {}}, encode_submitted_envelope("s@x", {"a@x"}));
    EXPECT_EQ(Store(home).load(id, message, true), Load::whole);
    // Also for whoever has had the directories open for long.
    EXPECT_NE(store.load(id, message, true), Load::damaged);
}

}  // namespace
}  // namespace relais::queue
