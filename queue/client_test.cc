#include "queue/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>

#include <fstream>
#include <thread>

#include "base/file.h"
#include "base/io.h"
#include "base/octets.h"
#include "base/unix_socket.h"
#include "queue/test_home.h"

namespace relais::queue {
namespace {

using namespace std::string_literals;

class ClientTest : public testing::Test {
  protected:
    ClientTest() {
        ::signal(SIGPIPE, SIG_IGN);
        ::unsetenv("QMAILQUEUE");
    }
    ~ClientTest() override {
        if (server.joinable()) server.join();
        ::unsetenv("QMAILQUEUE");
    }

    // Answers one submission: keeps header, message, envelope and, in version 2, extension.
    void serve(const SubmitAnswer& answer) {
        listener =
            listen_unix(home.socket("queue-submit"), 0600, static_cast<uid_t>(-1), static_cast<gid_t>(-1));
        server = std::thread([this, answer] {
            const Fd peer(::accept(listener.get(), nullptr, nullptr));
            header = take(peer.get(), 4);
            message = take_group(peer.get());
            envelope = take_group(peer.get());
            extension = header.starts_with("RQ2") ? take_group(peer.get()) : "";
            write_all(peer.get(), encode_answer(answer), patience);
        });
    }
    // One that knows the first version only, as long as it is asked for another one.
    void serve_version_one(std::size_t refusals, const SubmitAnswer& answer) {
        listener =
            listen_unix(home.socket("queue-submit"), 0600, static_cast<uid_t>(-1), static_cast<gid_t>(-1));
        server = std::thread([this, refusals, answer] {
            for (std::size_t i = 0; i < refusals; ++i) {
                const Fd peer(::accept(listener.get(), nullptr, nullptr));
                refused += take(peer.get(), 4) + " ";
                write_all(peer.get(), encode_answer({SubmitCode::bug, 0, ""}), patience);
            }
            const Fd peer(::accept(listener.get(), nullptr, nullptr));
            header = take(peer.get(), 4);
            message = take_group(peer.get());
            envelope = take_group(peer.get());
            write_all(peer.get(), encode_answer(answer), patience);
        });
    }
    static mail::Envelope by_login() {
        mail::Envelope all{"s@x", {{"a@y"}}};
        all.options.submitter = {mail::Submitter::Kind::login, "s@x"};
        return all;
    }
    static std::string take(int fd, std::size_t size) {
        std::string data(size, '\0');
        read_exactly(fd, data, patience);
        return data;
    }
    static std::string take_group(int fd) {
        std::string group;
        while (const std::size_t length = get_le(take(fd, 4), 0, 4)) group += take(fd, length);
        return group;
    }
    // A program for $QMAILQUEUE.
    void filter(const std::string& script) {
        const std::string path = home.path("filter");
        std::ofstream(path) << "#!/bin/sh\n" << script << "\n";
        std::filesystem::permissions(path, std::filesystem::perms::owner_all);
        ::setenv("QMAILQUEUE", path.c_str(), 1);
    }

    static const Deadline patience;
    TestHome directory;
    control::Home home = directory.home();
    Fd listener;
    std::thread server;
    std::string header, message, envelope, extension, refused;
};
// For all tests of the program together: on a busy machine they take a minute.
const Deadline ClientTest::patience = Deadline::in(Seconds(300));

TEST_F(ClientTest, ASmallMessageGoesInOnePiece) {
    serve({SubmitCode::accepted, 12345, ""});
    Submission submission(home, Door::submit, patience);
    submission.write("Subject: x\n");
    submission.write("\nbody\n");
    const SubmitAnswer answer = submission.finish("s@x", {"a@y", "b@y"});
    server.join();
    EXPECT_EQ(answer.code, SubmitCode::accepted);
    EXPECT_EQ(submission.qp(), 12345u);
    EXPECT_EQ(header, "RQ1s");
    EXPECT_EQ(message, "Subject: x\n\nbody\n");
    EXPECT_EQ(envelope, "Fs@x\0Ta@y\0Tb@y\0\0"s);
}

TEST_F(ClientTest, AnExtensionIsSaidInVersionTwo) {
    serve({SubmitCode::accepted, 1, ""});
    Submission submission(home, Door::submit, patience);
    submission.begin(by_login());
    submission.write("m\n");
    EXPECT_EQ(submission.finish("s@x", {"a@y"}).code, SubmitCode::accepted);
    server.join();
    EXPECT_EQ(header, "RQ2s");
    EXPECT_EQ(envelope, "Fs@x\0Ta@y\0\0"s);
    EXPECT_EQ(extension, "submitter login s@x\0\0"s);
}

TEST_F(ClientTest, WhatAnOlderServerRefusesIsSaidAgainInVersionOne) {
    serve_version_one(1, {SubmitCode::accepted, 1, ""});
    Submission submission(home, Door::submit, patience);
    submission.begin(by_login());
    submission.write("m\n");
    EXPECT_EQ(submission.finish("s@x", {"a@y"}).code, SubmitCode::accepted);
    server.join();
    EXPECT_EQ(refused, "RQ2s ");
    EXPECT_EQ(header, "RQ1s");
    EXPECT_EQ(message, "m\n");
    EXPECT_EQ(envelope, "Fs@x\0Ta@y\0\0"s);
}

TEST_F(ClientTest, ForALargeMessageAnOlderServerIsAskedBefore) {
    serve_version_one(1, {SubmitCode::accepted, 1, ""});
    const std::string text(small_message_limit * 2, 'x');
    Submission submission(home, Door::submit, patience);
    submission.begin(by_login());
    submission.write(text);
    EXPECT_EQ(submission.finish("s@x", {"a@y"}).code, SubmitCode::accepted);
    server.join();
    EXPECT_EQ(refused, "RQ2? ");
    EXPECT_EQ(header, "RQ1l");
    EXPECT_TRUE(message == text);
}

TEST_F(ClientTest, AnExtensionForAnotherSenderIsNotSaid) {
    serve({SubmitCode::accepted, 1, ""});
    Submission submission(home, Door::submit, patience);
    submission.begin(by_login());
    submission.write("m\n");
    EXPECT_EQ(submission.finish("postmaster@x", {"a@y"}).code, SubmitCode::accepted);
    server.join();
    EXPECT_EQ(header, "RQ1s");
}

TEST_F(ClientTest, AnotherSenderInTheSameSessionKeepsWhatWasPromised) {
    mail::Envelope all = by_login();
    all.options.session = "1.2";
    all.options.requiretls = true;
    all.options.ret = mail::Ret::full;
    for (const bool same : {true, false}) {
        serve({SubmitCode::accepted, 1, ""});
        Submission submission(home, Door::submit, patience);
        submission.begin(all);
        submission.name_session(same ? "1.2" : "3.4");
        submission.write("m\n");
        EXPECT_EQ(submission.finish("srs0=x@x", {"a@y"}).code, SubmitCode::accepted);
        server.join();
        EXPECT_EQ(extension.find("requiretls") != std::string::npos, same);
        EXPECT_EQ(extension.find("ret full"), std::string::npos);
    }
}

TEST_F(ClientTest, RequireTlsIsNotSaidWithoutItToAnOlderServer) {
    serve_version_one(1, {SubmitCode::accepted, 1, ""});
    mail::Envelope all = by_login();
    all.options.requiretls = true;
    Submission submission(home, Door::submit, patience);
    submission.begin(all);
    submission.write("m\n");
    EXPECT_EQ(submission.finish("s@x", {"a@y"}).code, SubmitCode::bug);
    // It waits for the one that is served.
    Submission(home, Door::submit, patience).finish("s@x", {"a@y"});
    server.join();
}

TEST_F(ClientTest, AFilterGetsTheExtensionInItsEnvironment) {
    ::setenv(extension_name, "sender old@x\nret full\n", 1);
    for (const bool said : {true, false}) {
        filter("cat >/dev/null; printf '%s' \"$QMAILENVELOPE\" >" + home.path("variable"));
        Submission submission(home, Door::submit, patience);
        if (said) submission.begin(by_login());
        submission.write("m\n");
        EXPECT_EQ(submission.finish("s@x", {"a@y"}).code, SubmitCode::accepted);
        EXPECT_EQ(read_file(home.path("variable"), 1000), said ? "sender s@x\nsubmitter login s@x\n" : "");
    }
    ::unsetenv(extension_name);
}

TEST_F(ClientTest, AnEmptyMessageIsOne) {
    serve({SubmitCode::accepted, 1, ""});
    Submission submission(home, Door::submit, patience, true, true);
    EXPECT_EQ(submission.finish("", {"a@y"}).code, SubmitCode::accepted);
    server.join();
    EXPECT_EQ(header, "RQ1S");
    EXPECT_EQ(message, "");
    EXPECT_EQ(submission.qp(), static_cast<std::uint64_t>(::getpid()));
}

TEST_F(ClientTest, WhatExceedsTheLimitStreams) {
    for (const std::size_t size : {small_message_limit, small_message_limit + 1, std::size_t{3} << 20}) {
        serve({SubmitCode::accepted, 1, ""});
        std::string sent;
        Submission submission(home, Door::submit, patience);
        while (sent.size() < size) {
            const std::string piece(std::min<std::size_t>(size - sent.size(), 50001),
                                    static_cast<char>(sent.size()));
            submission.write(piece);
            sent += piece;
        }
        EXPECT_EQ(submission.finish("s", {"r"}).code, SubmitCode::accepted);
        server.join();
        EXPECT_EQ(header, size > small_message_limit ? "RQ1l" : "RQ1s");
        EXPECT_TRUE(message == sent);
        EXPECT_EQ(envelope, "Fs\0Tr\0\0"s);
    }
}

TEST_F(ClientTest, AnEnvelopeOfManyFramesArrivesWhole) {
    serve({SubmitCode::accepted, 1, ""});
    const std::vector<std::string> recipients(3000, std::string(1000, 'r'));
    Submission submission(home, Door::submit, patience);
    submission.write("m");
    EXPECT_EQ(submission.finish("s", recipients).code, SubmitCode::accepted);
    server.join();
    EXPECT_TRUE(envelope == encode_submitted_envelope("s", recipients));
}

TEST_F(ClientTest, AServerThatGaveUpEarlyHasSaidWhy) {
    listener = listen_unix(home.socket("queue-submit"), 0600, static_cast<uid_t>(-1), static_cast<gid_t>(-1));
    server = std::thread([this] {
        const Fd peer(::accept(listener.get(), nullptr, nullptr));
        take(peer.get(), 4);
        write_all(peer.get(), encode_answer({SubmitCode::write_error, 0, ""}), patience);
    });
    Submission submission(home, Door::submit, patience);
    for (int i = 0; i < 100; ++i) submission.write(std::string(100000, 'x'));
    EXPECT_EQ(submission.finish("s", {"r"}).code, SubmitCode::write_error);
}

TEST_F(ClientTest, ABrokenConnectionIsCommunication) {
    listener = listen_unix(home.socket("queue-submit"), 0600, static_cast<uid_t>(-1), static_cast<gid_t>(-1));
    server = std::thread([this] {
        const Fd peer(::accept(listener.get(), nullptr, nullptr));
        take(peer.get(), 8);
    });
    Submission submission(home, Door::submit, patience);
    submission.write("message");
    EXPECT_EQ(submission.finish("s", {"r"}).code, SubmitCode::communication);
}

TEST_F(ClientTest, ASilentServerTimesOut) {
    listener = listen_unix(home.socket("queue-submit"), 0600, static_cast<uid_t>(-1), static_cast<gid_t>(-1));
    Submission submission(home, Door::submit, Deadline::in(std::chrono::milliseconds(50)));
    EXPECT_EQ(submission.finish("s", {"r"}).code, SubmitCode::connect_timed_out);
}

TEST_F(ClientTest, NobodyThereIsToldApart) {
    EXPECT_EQ(Submission(home, Door::submit, patience).finish("s", {"r"}).code, SubmitCode::connect_refused);
    listen_unix(home.socket("queue-submit"), 0600, static_cast<uid_t>(-1), static_cast<gid_t>(-1)).reset();
    EXPECT_EQ(Submission(home, Door::submit, patience).finish("s", {"r"}).code, SubmitCode::connect_refused);
    std::filesystem::remove_all(home.path("sockets"));
    EXPECT_EQ(Submission(home, Door::submit, patience).finish("s", {"r"}).code,
              SubmitCode::no_queue_directory);
    const control::Home nowhere(home.path("nowhere"));
    Submission large(nowhere, Door::submit, patience);
    large.write(std::string(1000000, 'x'));
    EXPECT_EQ(large.finish("s", {"r"}).code, SubmitCode::no_home);
}

TEST_F(ClientTest, AProgramGetsMessageEnvelopeAndText) {
    filter("cat > message; cat <&1 > envelope; echo Dspam, says the filter >&6; exit 82");
    for (const std::size_t size : {std::size_t{10}, std::size_t{1000000}}) {
        Submission submission(home, Door::network, patience);
        submission.write(std::string(size, 'x'));
        const SubmitAnswer answer = submission.finish("s", {"r"});
        EXPECT_EQ(answer.code, SubmitCode::custom);
        EXPECT_TRUE(is_permanent(answer.code, answer.text));
        EXPECT_EQ(submit_text(answer.code, answer.text), "spam, says the filter");
        EXPECT_TRUE(read_file(home.path("message"), 2000000) == std::string(size, 'x'));
        EXPECT_EQ(read_file(home.path("envelope"), 100), "Fs\0Tr\0\0"s);
    }
}

TEST_F(ClientTest, AProgramBeforeTheNetworksDoorGetsASession) {
    filter("cat >/dev/null; echo $QMAILSESSION >session; echo \"$QMAILENVELOPE\" >said");
    Submission submission(home, Door::network, patience);
    const std::string session = submission.session();
    EXPECT_TRUE(mail::is_session(session));
    submission.begin(mail::Envelope{"s", {{"r"}}});
    submission.write("m");
    submission.finish("s", {"r"});
    EXPECT_EQ(read_file(home.path("session"), 100), session + "\n");
    EXPECT_EQ(read_file(home.path("said"), 100), "sender s\nsession " + session + "\n\n");
    EXPECT_EQ(Submission(home, Door::submit, patience).session(), "") << "no session is behind it";
    ::unsetenv("QMAILQUEUE");
    EXPECT_EQ(Submission(home, Door::network, patience).session(), "") << "nobody stands between";
}

TEST_F(ClientTest, AProgramsExitCodeIsTheAnswer) {
    filter("echo $$ > pid; cat >/dev/null; exec cat <&1 >/dev/null");
    Submission submission(home, Door::network, patience);
    submission.write("m");
    EXPECT_EQ(submission.finish("s", {"r"}).code, SubmitCode::accepted);
    EXPECT_EQ(read_file(home.path("pid"), 100), std::to_string(submission.qp()) + "\n");
    filter("exit 31");
    Submission early(home, Door::network, patience);
    for (int i = 0; i < 100; ++i) early.write(std::string(100000, 'x'));
    EXPECT_EQ(early.finish("s", {"r"}).code, SubmitCode::refused);
    filter("exit 115");
    EXPECT_EQ(Submission(home, Door::network, patience).finish("s", {"r"}).code,
              SubmitCode::address_too_long);
    filter("kill -9 $$");
    EXPECT_EQ(Submission(home, Door::network, patience).finish("s", {"r"}).code, SubmitCode::bug);
}

TEST_F(ClientTest, AProgramMaySayMoreThanAnybodyReads) {
    filter("cat >/dev/null; printf Dno >&6; head -c 1000000 /dev/zero | tr '\\0' x >&6; exit 82");
    Submission submission(home, Door::network, patience);
    submission.write("m");
    const SubmitAnswer answer = submission.finish("s", {"r"});
    EXPECT_EQ(answer.code, SubmitCode::custom);
    EXPECT_EQ(answer.text, "Dno" + std::string(answer_text_limit - 3, 'x'));
}

TEST_F(ClientTest, AProgramThatDidNotReadTheMessageHasNotAcceptedIt) {
    filter("exit 0");
    Submission unread(home, Door::network, patience);
    for (int i = 0; i < 100; ++i) unread.write(std::string(100000, 'x'));
    EXPECT_EQ(unread.finish("s", {"r"}).code, SubmitCode::communication);
    filter("exec 1<&-; cat >/dev/null; exit 0");
    Submission half_read(home, Door::network, patience);
    half_read.write("m");
    EXPECT_EQ(half_read.finish("s", {std::string(1 << 20, 'r')}).code, SubmitCode::communication);
}

TEST_F(ClientTest, AProgramThatCannotBeExecutedGives120) {
    ::setenv("QMAILQUEUE", home.path("no-such-program").c_str(), 1);
    // The log says why, for the answer is qmail's.
    testing::internal::CaptureStderr();
    EXPECT_EQ(Submission(home, Door::network, patience).finish("s", {"r"}).code, SubmitCode::not_executable);
    EXPECT_THAT(testing::internal::GetCapturedStderr(),
                testing::HasSubstr("no-such-program, which QMAILQUEUE names: No such file or directory"));
}

TEST_F(ClientTest, AProgramThatHangsTimesOutAndIsKilled) {
    filter("exec sleep 1000");
    Submission submission(home, Door::network, Deadline::in(std::chrono::milliseconds(100)));
    EXPECT_EQ(submission.finish("s", {"r"}).code, SubmitCode::timed_out);
}

TEST_F(ClientTest, AnAbandonedMessageIsNeverSent) {
    filter("cat >/dev/null; wc -c <&1 > envelope");
    {
        Submission submission(home, Door::network, patience);
        submission.write(std::string(1000000, 'x'));
    }
    const auto envelope_octets = read_file(home.path("envelope"), 100);
    EXPECT_TRUE(!envelope_octets || *envelope_octets == "" || *envelope_octets == "0\n");
}

}  // namespace
}  // namespace relais::queue
