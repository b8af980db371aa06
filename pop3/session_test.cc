#include "pop3/session.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <thread>

#include "base/error.h"
#include "base/fd.h"
#include "pop3/test_maildir.h"

namespace relais::pop3 {
namespace {

// What a session answers to all this, sent at once.
std::string answers(const TestMaildir& place, std::string_view commands) {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    Fd client(ends[0]);
    std::thread server([&place, fd = ends[1]] {
        const Fd socket(fd);
        Maildir maildir(place.path());
        try {
            Session(fd, fd, maildir, Seconds(20)).run();
        } catch (const Error&) {
            // The client is gone.
        }
    });
    write_all(client.get(), commands, Deadline::in(Seconds(20)));
    ::shutdown(client.get(), SHUT_WR);
    std::string all = read_to_end(client.get(), 1 << 20, Deadline::in(Seconds(20)));
    server.join();
    return all;
}

TEST(Session, Dialogue) {
    TestMaildir place;
    place.add("new/1.a", "A: b\n\n.dot\n", 1);
    place.add("cur/2.b:2,S", "A: b\n\nx\n", 2);
    EXPECT_EQ(answers(place,
                      "STAT\r\nLIST\r\nlist 2\r\nUIDL\r\nUIDL 1\r\nTOP 1 0\r\nRETR 1\r\nDELE 1\r\nDELE "
                      "1\r\nRETR 1\r\nLIST\r\nSTAT\r\n"
                      "NOOP\r\nRSET\r\nSTAT\r\nDELE 2\r\nQUIT\r\n"),
              "+OK\r\n+OK 2 25\r\n+OK\r\n1 14\r\n2 11\r\n.\r\n+OK 2 11\r\n+OK\r\n1 1.a\r\n2 2.b\r\n.\r\n+OK "
              "1 1.a\r\n"
              "+OK\r\nA: b\r\n\r\n.\r\n+OK\r\nA: b\r\n\r\n..dot\r\n.\r\n+OK\r\n"
              "-ERR that message is deleted already\r\n-ERR that message is deleted already\r\n"
              "+OK\r\n2 11\r\n.\r\n+OK 1 11\r\n+OK\r\n+OK\r\n+OK 2 25\r\n+OK\r\n+OK\r\n");
    EXPECT_TRUE(place.has("cur/1.a:2,S"));
    EXPECT_FALSE(place.has("cur/2.b:2,S"));
}

TEST(Session, WithoutQuitNothingIsRemoved) {
    TestMaildir place;
    place.add("new/1.a", "A: b\n\nx\n");
    EXPECT_EQ(answers(place, "DELE 1\r\n"), "+OK\r\n+OK\r\n");
    EXPECT_TRUE(place.has("new/1.a"));
    EXPECT_EQ(answers(place, "DELE 1\r\nQUIT"), "+OK\r\n+OK\r\n");
    EXPECT_TRUE(place.has("new/1.a"));
}

TEST(Session, WrongNumbersAndCommands) {
    TestMaildir place;
    for (const char* command : {"RETR", "RETR 0", "RETR x", "RETR 1", "DELE 99999999999999999999", "TOP 1",
                                "TOP x y", "LIST -1", "UIDL 2", "USER x", "", "XYZZY", "APOP a b"}) {
        const std::string all = answers(place, std::string(command) + "\r\nSTAT\r\n");
        EXPECT_EQ(all.find("+OK\r\n-ERR "), 0U) << command << ": " << all;
        EXPECT_TRUE(all.ends_with("\r\n+OK 0 0\r\n")) << command << ": " << all;
    }
}

TEST(Session, OverlongLinesAndNonsenseEndIt) {
    TestMaildir place;
    EXPECT_EQ(answers(place, std::string(70000, 'x') + "\r\nSTAT\r\n"),
              "+OK\r\n-ERR line too long\r\n+OK 0 0\r\n");
    std::string nonsense;
    for (int i = 0; i < 20; ++i) nonsense += "GET / HTTP/1.0\r\n";
    EXPECT_FALSE(answers(place, nonsense + "STAT\r\n").ends_with("+OK 0 0\r\n"));
}

TEST(Session, AVanishedMessageIsSaid) {
    TestMaildir place;
    place.add("cur/1.a", "A: b\n\nx\n");
    Maildir maildir(place.path());
    place.remove("cur/1.a");
    Pipe in = make_pipe();
    Pipe out = make_pipe();
    write_all(in.write.get(), "RETR 1\r\nDELE 1\r\nQUIT\r\n", Deadline::in(Seconds(5)));
    Session(in.read.get(), out.write.get(), maildir, Seconds(5)).run();
    out.write.reset();
    const std::string all = read_to_end(out.read.get(), 1000, Deadline::in(Seconds(5)));
    EXPECT_EQ(all.find("+OK\r\n-ERR that message is gone"), 0U) << all;
    EXPECT_TRUE(all.ends_with("\r\n+OK\r\n+OK\r\n")) << all;
}

}  // namespace
}  // namespace relais::pop3
