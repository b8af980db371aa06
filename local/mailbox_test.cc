#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "base/error.h"
#include "base/io.h"
#include "local/maildir.h"
#include "local/mbox.h"
#include "local/message.h"
#include "local/variables.h"

namespace relais::local {
namespace {

std::string content(const std::filesystem::path& path) {
    std::ostringstream text;
    text << std::ifstream(path, std::ios::binary).rdbuf();
    return text.str();
}

class Mailboxes : public testing::Test {
  protected:
    void SetUp() override {
        char name[] = "/tmp/mailbox_test.XXXXXX";
        directory_ = ::mkdtemp(name);
        for (const char* part : {"tmp", "new", "cur"})
            std::filesystem::create_directories(directory_ / "Maildir" / part);
    }
    void TearDown() override { std::filesystem::remove_all(directory_); }

    // A queue file: the message, and behind it what is none of the recipient's business.
    Message message(const std::string& text) {
        std::ofstream(directory_ / "message", std::ios::binary) << text << "ENVELOPE";
        file_ = Fd(::open((directory_ / "message").c_str(), O_RDONLY));
        return Message(file_.get(), text.size());
    }
    std::vector<std::string> files(const std::string& part) {
        std::vector<std::string> found;
        for (const auto& entry : std::filesystem::directory_iterator(directory_ / "Maildir" / part))
            found.push_back(content(entry.path()));
        return found;
    }
    std::string maildir() const { return (directory_ / "Maildir").string() + "/"; }
    std::string mbox() const { return (directory_ / "mbox").string(); }

    std::filesystem::path directory_;
    Fd file_;
};

std::string large_text(std::size_t size) {
    std::string text;
    for (std::size_t i = 0; text.size() < size; ++i)
        text += (i % 7 == 0 ? "From line " : "line ") + std::to_string(i) + "\n";
    text.resize(size);
    return text;
}

TEST_F(Mailboxes, MaildirGetsHeadAndMessage) {
    for (const std::size_t size : {0U, 1U, 65535U, 65536U, 65537U, 300000U}) {
        const std::string text = large_text(size);
        deliver_to_maildir(maildir(), "Return-Path: <>\n", message(text));
        ASSERT_THAT(files("new"), testing::Contains("Return-Path: <>\n" + text)) << size;
    }
    EXPECT_EQ(files("new").size(), 6U);
    EXPECT_THAT(files("tmp"), testing::IsEmpty());
}

TEST_F(Mailboxes, MaildirFailuresLeaveNothing) {
    const Message text = message("Subject: x\n\nhello\n");
    const auto fault = [&](const std::string& directory) -> std::string {
        try {
            deliver_to_maildir(directory, "", text);
        } catch (const Error& error) {
            EXPECT_EQ(error.reaction(), Reaction::temporary);
            return error.what();
        }
        return "";
    };
    EXPECT_EQ(fault((directory_ / "none/").string()), "Unable to chdir to maildir. (#4.2.1)");
    std::filesystem::remove(directory_ / "Maildir/new");
    EXPECT_THAT(fault(maildir()), testing::StartsWith("Temporary error on maildir delivery. (#4.3.0)\n"));
    EXPECT_THAT(files("tmp"), testing::IsEmpty());
}

TEST_F(Mailboxes, AMessageThatIsShorterThanItShouldBeIsNotDelivered) {
    message("hello\n");
    EXPECT_THROW(deliver_to_maildir(maildir(), "", Message(file_.get(), 1000)), Error);
    EXPECT_THROW(deliver_to_mbox(mbox(), "From x\n", "", Message(file_.get(), 1000)), Error);
    EXPECT_THAT(files("new"), testing::IsEmpty());
    EXPECT_THAT(files("tmp"), testing::IsEmpty());
    EXPECT_EQ(content(mbox()), "");
}

TEST_F(Mailboxes, MboxQuotesFromLinesAndEndsTheLastLine) {
    deliver_to_mbox(mbox(), "From a\n", "Head: 1\n",
                    message("Subject: x\n\nFrom me\n>From you\nFromage\n >From\nend"));
    deliver_to_mbox(mbox(), "From b\n", "", message(""));
    EXPECT_EQ(content(mbox()),
              "From a\nHead: 1\nSubject: x\n\n>From me\n>>From you\nFromage\n >From\nend\n\nFrom b\n\n");
    struct stat status {};
    ASSERT_EQ(::stat(mbox().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777U, 0600U);
}

TEST_F(Mailboxes, MboxWithLargeMessages) {
    const std::string text = large_text(300000);
    deliver_to_mbox(mbox(), "From a\n", "", message(text));
    FromQuoter quoter;
    std::string expected = "From a\n";
    for (const char c : text) quoter.feed(std::string_view(&c, 1), expected);
    quoter.finish(expected);
    EXPECT_EQ(content(mbox()), expected + "\n");
}

TEST_F(Mailboxes, MboxMayBeADevice) {
    deliver_to_mbox("/dev/null", "From a\n", "", message("hello\n"));
}

// How many descriptors of this process lead to the file.
std::ptrdiff_t open_descriptors(const std::string& path) {
    std::error_code ignored;
    std::ptrdiff_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd"))
        if (std::filesystem::read_symlink(entry.path(), ignored) == path) ++count;
    return count;
}

TEST_F(Mailboxes, MboxWaitsForLocksOfBothKinds) {
    for (const bool by_flock : {true, false}) {
        std::filesystem::remove(mbox());
        const Fd holder(::open(mbox().c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
        struct flock range {};
        range.l_type = F_WRLCK;
        range.l_whence = SEEK_SET;
        ASSERT_EQ(by_flock ? ::flock(holder.get(), LOCK_EX) : ::fcntl(holder.get(), F_OFD_SETLK, &range), 0);
        std::thread delivery([&] { deliver_to_mbox(mbox(), "From a\n", "", message("hello\n")); });
        while (open_descriptors(mbox()) < 2) std::this_thread::yield();
        // Ours comes first although the delivery has had the file open before.
        ASSERT_EQ(::write(holder.get(), "first\n\n", 7), 7);
        range.l_type = F_UNLCK;
        ASSERT_EQ(by_flock ? ::flock(holder.get(), LOCK_UN) : ::fcntl(holder.get(), F_OFD_SETLK, &range), 0);
        delivery.join();
        EXPECT_EQ(content(mbox()), "first\n\nFrom a\nhello\n\n");
    }
}

TEST_F(Mailboxes, MboxThatIsReplacedWhileItsLockIsAwaited) {
    const std::string beside = mbox() + ".new";
    for (const bool removed : {false, true}) {
        Fd holder(::open(mbox().c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
        ASSERT_EQ(::flock(holder.get(), LOCK_EX), 0);
        std::thread delivery([&] { deliver_to_mbox(mbox(), "From a\n", "", message("hello\n")); });
        while (open_descriptors(mbox()) < 2) std::this_thread::yield();
        if (removed) {
            EXPECT_TRUE(std::filesystem::remove(mbox()));
        } else {
            std::ofstream(beside, std::ios::binary) << "From b\nolder\n\n";
            std::filesystem::rename(beside, mbox());
        }
        holder.reset();
        delivery.join();
        EXPECT_EQ(content(mbox()), std::string(removed ? "" : "From b\nolder\n\n") + "From a\nhello\n\n");
    }
}

TEST_F(Mailboxes, MboxWithATornEndGetsALineOfItsOwn) {
    const std::string begun = "From b\nSubject: torn";
    for (const auto& [end, gap] : {std::pair<std::string, std::string>{"", "\n\n"},
                                   {"\n", "\n"},
                                   {"\n\n", ""},
                                   {std::string(3, '\0'), "\n\n"}}) {
        std::ofstream(mbox(), std::ios::binary) << begun << end;
        deliver_to_mbox(mbox(), "From a\n", "", message("hello\n"));
        EXPECT_EQ(content(mbox()), begun + end + gap + "From a\nhello\n\n");
    }
}

TEST_F(Mailboxes, MboxThroughALink) {
    std::filesystem::create_directory(directory_ / "elsewhere");
    std::ofstream(directory_ / "elsewhere/box", std::ios::binary) << "From b\nolder\n\n";
    std::filesystem::create_symlink("elsewhere/box", directory_ / "mbox");
    deliver_to_mbox(mbox(), "From a\n", "", message("hello\n"));
    EXPECT_EQ(content(directory_ / "elsewhere/box"), "From b\nolder\n\nFrom a\nhello\n\n");
}

TEST(FromQuoter, GivesTheSameHoweverTheMessageIsCut) {
    const std::string text = "From a\n>>>From b\nFrom\nFro\n>\n\n>Fromx\nx From \n>>From ";
    const std::string expected = ">From a\n>>>>From b\nFrom\nFro\n>\n\n>Fromx\nx From \n>>>From \n";
    for (std::size_t step = 1; step <= text.size(); ++step) {
        FromQuoter quoter;
        std::string out;
        for (std::size_t at = 0; at < text.size(); at += step)
            quoter.feed(std::string_view(text).substr(at, step), out);
        quoter.finish(out);
        EXPECT_EQ(out, expected) << step;
    }
}

TEST_F(Mailboxes, HeaderSearchEndsWithTheHeader) {
    const std::string line = delivered_to_line("joe@a.test");
    EXPECT_TRUE(message("A: b\n" + line + "\n").header_has(line));
    EXPECT_FALSE(message("A: b\n\n" + line).header_has(line));
    EXPECT_FALSE(message("A: b\nX" + line).header_has(line));
    EXPECT_FALSE(message("Delivered-To: joe@a.test.example\n\n").header_has(line));
    EXPECT_FALSE(message("").header_has(line));
    EXPECT_TRUE(message("A: " + std::string(200000, 'x') + "\n" + line).header_has(line));
    const std::string filler(65536 - 10, 'x');
    EXPECT_TRUE(message(filler + "\n" + line).header_has(line)) << "the line lies across two pieces";
}

TEST_F(Mailboxes, ACopyHasTheMessageAlone) {
    const Fd copy = message("hello\n").copy();
    EXPECT_EQ(read_to_end(copy.get(), 100, Deadline::never()), "hello\n");
}

TEST(Variables, Lines) {
    EXPECT_EQ(delivered_to_line("a\nb@c"), "Delivered-To: a_b@c\n");
    EXPECT_EQ(return_path_line(""), "Return-Path: <>\n");
    EXPECT_EQ(return_path_line("a b@c.test"), "Return-Path: <\"a b\"@c.test>\n");
    EXPECT_EQ(from_line("a b@c.test", 811000014), "From a-b@c.test Wed Sep 13 13:46:54 1995\n");
    EXPECT_EQ(from_line("", 0), "From MAILER-DAEMON Thu Jan 01 00:00:00 1970\n");
}

TEST(Variables, PartsOfHostAndExtension) {
    Names names;
    names.local = "joe-a-b-c-d";
    names.extension = "a-b-c-d";
    names.domain = "mail.sub.a.test";
    const auto variables = delivery_variables(names);
    const auto value = [&](const std::string& name) {
        for (const auto& [key, text] : variables)
            if (key == name) return text;
        return std::string("unset");
    };
    EXPECT_EQ(value("EXT"), "a-b-c-d");
    EXPECT_EQ(value("EXT2"), "b-c-d");
    EXPECT_EQ(value("EXT4"), "d");
    EXPECT_EQ(value("HOST"), "mail.sub.a.test");
    EXPECT_EQ(value("HOST2"), "mail.sub.a");
    EXPECT_EQ(value("HOST4"), "mail");
    EXPECT_EQ(value("RECIPIENT"), "joe-a-b-c-d@mail.sub.a.test");
    EXPECT_EQ(value("DEFAULT"), "unset");
}

}  // namespace
}  // namespace relais::local
