#include "queue/refusal.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <thread>

#include "base/unix_socket.h"
#include "queue/client.h"
#include "queue/test_home.h"

namespace relais::queue {
namespace {

TEST(RefusalTest, AlsoWhoIsStillWritingReadsTheAnswer) {
    ::signal(SIGPIPE, SIG_IGN);
    const TestHome directory;
    const control::Home home = directory.home();
    const Fd listener =
        listen_unix(home.socket("queue-submit"), 0600, static_cast<uid_t>(-1), static_cast<gid_t>(-1));
    std::atomic<bool> ending = false;
    std::thread server([&] {
        const int listeners[] = {listener.get()};
        while (!ending)
            refuse_for(listeners, SubmitCode::cannot_create, Deadline::in(std::chrono::milliseconds(50)));
    });
    const std::string block(100'000, 'x');
    for (const int blocks : {0, 1, 3, 10, 100}) {
        for (int again = 0; again < 20; ++again) {
            Submission submission(home, Door::submit, Deadline::in(Seconds(60)));
            for (int i = 0; i < blocks; ++i) submission.write(block);
            EXPECT_EQ(submission.finish("s@x", {"a@y"}).code, SubmitCode::cannot_create) << blocks;
        }
    }
    ending = true;
    server.join();
}

}  // namespace
}  // namespace relais::queue
