#include "explain/mailbox.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/fd.h"

namespace relais::explain {
namespace {
namespace fs = std::filesystem;

// A home of this user's, or of another's where the test is root, whose files are made as root's there.
class MailboxLook : public testing::Test {
  protected:
    void SetUp() override {
        char name[] = "/tmp/mailbox_look.XXXXXX";
        top_ = ::mkdtemp(name);
        ASSERT_EQ(::chmod(top_.c_str(), 0755), 0);
        fs::create_directories(top_ / "home");
        const bool root = ::geteuid() == 0;
        user_ = {"ann", root ? uid_t{4321} : ::geteuid(), root ? gid_t{4321} : ::getegid(), top_ / "home"};
        give(home());
    }
    void TearDown() override {
        for (const auto& entry : fs::recursive_directory_iterator(top_))
            if (!entry.is_symlink() && entry.is_directory()) fs::permissions(entry, fs::perms::owner_all);
        fs::remove_all(top_);
    }

    fs::path home() const { return user_.home; }
    void give(const fs::path& path) const { ASSERT_EQ(::lchown(path.c_str(), user_.uid, user_.gid), 0); }
    void file(const std::string& name, bool his = true) const {
        std::ofstream(home() / name) << "From x\n\n";
        if (his) give(home() / name);
    }
    void directory(const std::string& name, mode_t mode = 0700, bool his = true) const {
        fs::create_directory(home() / name);
        ASSERT_EQ(::chmod((home() / name).c_str(), mode), 0);
        if (his) give(home() / name);
    }
    void maildir(const std::string& name, bool his = true) const {
        for (const char* part : {"", "/tmp", "/new", "/cur"}) directory(name + part, 0700, his);
    }
    std::string trouble(const std::string& path) const { return trouble_of_mailbox(user_, path).text; }
    std::string remedy(const std::string& path) const { return trouble_of_mailbox(user_, path).remedy; }
    std::string in_home(const std::string& name) const { return (home() / name).string(); }
    // The words for what is root's or closed to its owner.
    std::string may_not_write(const std::string& path, uid_t owner) const {
        return path + " is uid " + std::to_string(owner) + "'s, and uid " + std::to_string(user_.uid) +
               " may not write there";
    }
    std::string ids() const { return std::to_string(user_.uid) + ":" + std::to_string(user_.gid); }

    fs::path top_;
    MailboxUser user_;
};

TEST_F(MailboxLook, WhatTakesMailIsWell) {
    maildir("Maildir");
    file("Mailbox");
    file("elsewhere");
    fs::create_symlink("elsewhere", home() / "link");
    for (const char* path : {"./Maildir/", "./Mailbox", "./not-yet", "./link", "/dev/null"})
        EXPECT_EQ(trouble(path), "") << path;
    EXPECT_EQ(trouble(in_home("Mailbox")), "");
}

TEST_F(MailboxLook, AnMboxThatIsNotWritable) {
    if (::geteuid() == 0) {
        file("Mailbox", false);
        EXPECT_EQ(trouble("./Mailbox"), may_not_write(in_home("Mailbox"), 0));
        EXPECT_EQ(remedy("./Mailbox"), "chown --no-dereference " + ids() + " " + in_home("Mailbox") +
                                           "; chmod u+rwX " + in_home("Mailbox"));
    }
    file("closed");
    ASSERT_EQ(::chmod(in_home("closed").c_str(), 0400), 0);
    EXPECT_EQ(trouble("./closed"), may_not_write(in_home("closed"), user_.uid));
    fs::create_symlink("closed", home() / "link");
    EXPECT_EQ(trouble("./link"), may_not_write(in_home("link"), user_.uid));
}

TEST_F(MailboxLook, WhereNoMboxCanBeMade) {
    EXPECT_EQ(trouble("./mail/box"), in_home("mail") + ": No such file or directory");
    EXPECT_EQ(remedy("./mail/box"), "as ann: mkdir -p " + in_home("mail") + " (su - ann -c ...)");
    directory("mail", 0500);
    EXPECT_EQ(trouble("./mail/box"), may_not_write(in_home("mail"), user_.uid));
    EXPECT_EQ(remedy("./mail/box"),
              "chown --no-dereference " + ids() + " " + in_home("mail") + "; chmod u+rwX " + in_home("mail"));
    ASSERT_EQ(::chmod(in_home("mail").c_str(), 0), 0);
    EXPECT_EQ(trouble("./mail/box"),
              in_home("mail/box") + ": Permission denied, because of " + in_home("mail"));
    file("file");
    EXPECT_EQ(trouble("./file/box"), in_home("file") + " is not a directory");
}

TEST_F(MailboxLook, WhatIsNoMbox) {
    directory("Mailbox");
    EXPECT_EQ(trouble("./Mailbox"), in_home("Mailbox") + " is a directory, and an mbox is a file");
    fs::create_symlink("nowhere", home() / "link");
    EXPECT_EQ(
        trouble("./link"),
        in_home("link") + " is a link to what does not exist: no delivery makes an mbox through a link");
    fs::create_symlink("round", home() / "round");
    EXPECT_EQ(trouble("./round"), in_home("round") + ": Too many levels of symbolic links");
    const Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    struct sockaddr_un address {};
    address.sun_family = AF_UNIX;
    in_home("socket").copy(address.sun_path, sizeof address.sun_path - 1);
    ASSERT_EQ(::bind(socket.get(), reinterpret_cast<const struct sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(trouble("./socket"), in_home("socket") + " is a socket, and an mbox is a file");
}

TEST_F(MailboxLook, AMaildirOfRootsOrIncomplete) {
    EXPECT_EQ(trouble("./Maildir/"), in_home("Maildir") + ": No such file or directory");
    EXPECT_EQ(remedy("./Maildir/"), "as ann: maildirmake " + in_home("Maildir") + " (su - ann -c ...)");
    maildir("Maildir");
    fs::remove(home() / "Maildir/new");
    EXPECT_EQ(trouble("./Maildir/"), in_home("Maildir/new") + ": No such file or directory");
    EXPECT_EQ(remedy("./Maildir/"), "as ann: mkdir -m 700 " + in_home("Maildir/new") + " (su - ann -c ...)");
    if (::geteuid() != 0) GTEST_SKIP() << "only root makes what is root's";
    maildir("Roots", false);
    EXPECT_EQ(trouble("./Roots/"), may_not_write(in_home("Roots"), 0));
    EXPECT_EQ(remedy("./Roots/"), "chown -R --no-dereference " + ids() + " " + in_home("Roots") +
                                      "; chmod -R u+rwX " + in_home("Roots"));
    // As after "cp -r" into a Maildir of his.
    maildir("Half");
    ASSERT_EQ(::chown(in_home("Half/cur").c_str(), 0, 0), 0);
    EXPECT_EQ(trouble("./Half/"), may_not_write(in_home("Half/cur"), 0));
}

TEST_F(MailboxLook, NoRemedyGivesAwayWhatAUserHasPointedAt) {
    const std::string warning = ": it is not of ann's home. If it is meant to be his: ";
    fs::create_directory(top_ / "other");
    std::ofstream(top_ / "other/secret") << "x";
    ASSERT_EQ(::chmod((top_ / "other/secret").c_str(), 0400), 0);
    fs::create_symlink(top_ / "other", home() / "way");
    fs::create_symlink(top_ / "other/secret", home() / "link");
    fs::create_hard_link(top_ / "other/secret", home() / "second");
    for (const char* name : {"way/secret", "link", "second"}) {
        ASSERT_NE(trouble(std::string("./") + name), "") << name;
        EXPECT_TRUE(remedy(std::string("./") + name).starts_with("ls -ld " + in_home(name) + warning))
            << name;
    }
}

TEST_F(MailboxLook, ARemedyIsQuotedForTheShell) {
    EXPECT_EQ(remedy("./$(x);'/box"), "as ann: mkdir -p '" + in_home("$(x);'\\''") + "' (su - ann -c ...)");
}

}  // namespace
}  // namespace relais::explain
