#include "setup/old_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/error.h"

namespace relais::setup {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class OldQueueTest : public ::testing::Test {
  protected:
    OldQueueTest() {
        std::string pattern = (fs::temp_directory_path() / "relais-old-XXXXXX").string();
        if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary directory");
        directory_ = pattern;
        for (const char* kind : {"mess/3", "info/3", "local/3", "remote/3", "todo", "intd", "bounce", "lock"})
            fs::create_directories(directory_ / "queue" / kind);
        fs::create_directories(directory_ / "control");
        write("control/me", "me.example\n");
        write("queue/lock/sendmutex", "");
    }
    ~OldQueueTest() override {
        std::error_code ignored;
        fs::remove_all(directory_, ignored);
    }

    void write(const std::string& path, std::string_view text) { std::ofstream(directory_ / path) << text; }
    OldMessage read(std::uint64_t id) {
        faults_.clear();
        const HeldDirectory held(directory_);
        return OldQueue(held, [this](const std::string& path,
                                     const std::string& text) { faults_.push_back(path + ": " + text); })
            .read(id);
    }
    static std::string ended(std::string text) { return text += '\0'; }

    fs::path directory_;
    std::vector<std::string> faults_;
};

constexpr const char* body = "Received: (qmail 7 invoked by uid 501); x\n\nhello\n";

TEST_F(OldQueueTest, AMessageOnItsWay) {
    write("control/virtualdomains", "v.example:alias-v\n");
    write("queue/mess/3/26", body);
    write("queue/info/3/26", ended("Fa@x.example"));
    write("queue/local/3/26", ended("Dalias-v-b@v.example") + ended("Tc@me.example"));
    write("queue/remote/3/26", ended("Td@x.example"));
    write("queue/bounce/26", "<b@v.example>:\nno mailbox\n\n");
    const OldMessage message = read(26);
    EXPECT_THAT(faults_, IsEmpty());
    ASSERT_EQ(message.state, OldState::ready);
    EXPECT_EQ(message.envelope.sender, "a@x.example");
    EXPECT_EQ(message.envelope.uid, 501U);
    ASSERT_EQ(message.envelope.recipients.size(), 3U);
    EXPECT_EQ(message.envelope.recipients.address(0), "b@v.example");
    EXPECT_EQ(message.envelope.recipients.mark(0), queue::Mark::failed);
    EXPECT_EQ(message.envelope.recipients.mark(1), queue::Mark::to_do);
    EXPECT_EQ(message.bounce, "<b@v.example>:\nno mailbox\n\n");
    EXPECT_THAT(message.key, ::testing::StartsWith("26-"));
}

TEST_F(OldQueueTest, NotYetLookedAt) {
    write("queue/mess/3/26", body);
    write("queue/todo/26", ended("u501") + ended("p7") + ended("Fa@x.example") + ended("Tb@x.example"));
    write("queue/intd/26", "");
    write("queue/info/3/26", "half");
    const OldMessage message = read(26);
    EXPECT_EQ(message.state, OldState::ready);
    EXPECT_EQ(message.envelope.recipients.size(), 1U);
    EXPECT_THAT(faults_, IsEmpty());
}

TEST_F(OldQueueTest, TodoOfASplit) {
    fs::create_directories(directory_ / "queue/todo/3");
    write("queue/mess/3/26", body);
    write("queue/todo/3/26", ended("u501") + ended("p7") + ended("Fa@x.example") + ended("Tb@x.example"));
    EXPECT_EQ(read(26).state, OldState::ready);
}

TEST_F(OldQueueTest, NeverAcceptedAndDelivered) {
    write("queue/mess/3/26", body);
    write("queue/intd/26", "u501");
    EXPECT_EQ(read(26).state, OldState::unfinished);
    write("queue/info/3/26", ended("Fa@x.example"));
    write("queue/local/3/26", ended("Db@me.example"));
    EXPECT_EQ(read(26).state, OldState::finished);
    EXPECT_THAT(faults_, IsEmpty());
}

TEST_F(OldQueueTest, TheBounceIsOwedWhenAllListsHaveGone) {
    write("queue/mess/3/26", body);
    write("queue/info/3/26", ended("Fa@x.example"));
    write("queue/bounce/26", "<b@x.example>:\nno\n\n");
    const OldMessage message = read(26);
    ASSERT_EQ(message.state, OldState::ready);
    ASSERT_EQ(message.envelope.recipients.size(), 1U);
    EXPECT_EQ(message.envelope.recipients.mark(0), queue::Mark::failed);
}

TEST_F(OldQueueTest, LinksAndPipesAreNamed) {
    write("secret", "root:x:0:0\n");
    fs::create_symlink(directory_ / "secret", directory_ / "queue/mess/3/26");
    write("queue/info/3/26", ended("Fa@x.example"));
    write("queue/remote/3/26", ended("Tb@x.example"));
    EXPECT_EQ(read(26).state, OldState::lost);
    EXPECT_THAT(faults_, ElementsAre("queue/mess/3/26: it is a link"));
    fs::remove(directory_ / "queue/mess/3/26");
    ASSERT_EQ(::mkfifo((directory_ / "queue/mess/3/26").c_str(), 0600), 0);
    EXPECT_EQ(read(26).state, OldState::lost);
    EXPECT_THAT(faults_, ElementsAre("queue/mess/3/26: it is a pipe"));
}

TEST_F(OldQueueTest, SomebodyElsesFileUnderAnotherNameIsNotRead) {
    if (::geteuid() != 0) GTEST_SKIP() << "only root has files of others";
    write("secret", "root:x:0:0\n");
    ASSERT_EQ(::chown((directory_ / "secret").c_str(), 12345, 12345), 0);
    fs::create_hard_link(directory_ / "secret", directory_ / "queue/mess/3/26");
    write("queue/info/3/26", ended("Fa@x.example"));
    write("queue/remote/3/26", ended("Tb@x.example"));
    EXPECT_EQ(read(26).state, OldState::lost);
    EXPECT_THAT(faults_, ElementsAre("queue/mess/3/26: " + std::string(borrowed)));
}

TEST_F(OldQueueTest, ASplitThatIsALinkIsNotEntered) {
    fs::create_directories(directory_ / "elsewhere");
    write("elsewhere/26", body);
    fs::create_directory_symlink(directory_ / "elsewhere", directory_ / "queue/mess/5");
    const HeldDirectory held(directory_);
    const OldQueue queue(held, [this](const std::string& path, const std::string& text) {
        faults_.push_back(path + ": " + text);
    });
    EXPECT_THAT(queue.ids(), IsEmpty());
    EXPECT_THAT(faults_, ElementsAre("queue/mess/5: it is a link"));
}

TEST_F(OldQueueTest, AQueueOnAnotherDiskIsFollowedWhereRootHasMadeTheLink) {
    write("queue/mess/3/26", body);
    write("queue/info/3/26", ended("Fa@x.example"));
    write("queue/remote/3/26", ended("Tb@x.example"));
    fs::rename(directory_ / "queue", directory_ / "elsewhere");
    fs::create_directory_symlink("elsewhere", directory_ / "queue");
    if (::geteuid() == 0) {
        EXPECT_EQ(read(26).state, OldState::ready);
        ASSERT_EQ(::lchown((directory_ / "queue").c_str(), 1, 1), 0);
    }
    EXPECT_THROW(read(26), Error);
}

TEST_F(OldQueueTest, RefusesWhileTheOldQmailSendRuns) {
    const HeldDirectory held(directory_);
    {
        const Fd lock = lock_old_queue(held);
        EXPECT_THROW(lock_old_queue(held), Error);
    }
    EXPECT_NO_THROW(lock_old_queue(held));
}

}  // namespace
}  // namespace relais::setup
