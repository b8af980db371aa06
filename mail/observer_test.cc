#include "mail/observer.h"

#include <gtest/gtest.h>

#include "mail/header.h"

namespace relais::mail {
namespace {

class Recorder : public MessageObserver {
  public:
    void add(std::string_view text) override { seen += text; }
    std::string seen;
};

TEST(MessageObservers, SeeThePiecesUntilOneRefuses) {
    MessageObservers observers;
    Recorder before, after;
    observers.watch(before);
    watch_limits(observers, {.size_limit = 4});
    observers.watch(after);
    EXPECT_FALSE(observers.add("ab"));
    EXPECT_FALSE(observers.add("cd"));
    const auto refusal = observers.add("e");
    ASSERT_TRUE(refusal);
    EXPECT_EQ(smtp_reply(*refusal), "552 sorry, that message size exceeds my databytes limit (#5.3.4)");
    EXPECT_EQ(before.seen, "abcde");
    EXPECT_EQ(after.seen, "abcd");
}

TEST(MessageLimits, WithoutThemHopsAloneCount) {
    MessageObservers observers;
    watch_limits(observers, {});
    EXPECT_FALSE(observers.add(std::string("\0 NUL\n", 6) + std::string(1 << 20, 'x') + '\n'));
    for (std::size_t i = 1; i < hop_limit; ++i) EXPECT_FALSE(observers.add("Received: x\n"));
    EXPECT_EQ(observers.add("Delivered-To: x\n")->cause, "hops");
}

TEST(MessageLimits, NulIsOdd) {
    MessageObservers observers;
    watch_limits(observers, {.refuse_nul = true});
    EXPECT_FALSE(observers.add("a"));
    const auto refusal = observers.add(std::string_view("b\0", 2));
    ASSERT_TRUE(refusal);
    EXPECT_TRUE(refusal->odd);
    EXPECT_EQ(refusal->cause, "octets");
}

}  // namespace
}  // namespace relais::mail
