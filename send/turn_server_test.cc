#include "send/turn_server.h"

#include <gtest/gtest.h>

#include "send/turn_protocol.h"

namespace relais::send {
namespace {

TEST(Turns, OfWhatIsListedAndOnceAMinute) {
    Turns turns;
    const auto begin = Clock::now();
    EXPECT_EQ(turns.take("a.test", begin), "");
    turns.allow(control::DomainSet({"a.test", ".b.test", "xn--bcher-kva.test"}));
    EXPECT_EQ(turns.take("A.test", begin), "a.test");
    EXPECT_EQ(turns.take("a.test", begin + turn_pause - Seconds(1)), "");
    EXPECT_EQ(turns.take("a.test", begin + turn_pause), "a.test");
    EXPECT_EQ(turns.take("x.b.test", begin), "x.b.test");
    EXPECT_EQ(turns.take("b.test", begin), "");
    EXPECT_EQ(turns.take("x.a.test", begin), "");
    EXPECT_EQ(turns.take("", begin), "");
    EXPECT_EQ(turns.take("@a.test", begin), "");
    EXPECT_EQ(turns.take(std::string("a.test\0", 7), begin), "");
    EXPECT_EQ(turns.take(std::string(300, 'x') + ".b.test", begin), "");
}

TEST(Turns, ManyNamesBelowASuffixAreNotAllRemembered) {
    Turns turns;
    turns.allow(control::DomainSet({".b.test"}));
    const auto begin = Clock::now();
    for (std::size_t i = 0; i < Turns::most; ++i)
        EXPECT_NE(turns.take(std::to_string(i) + ".b.test", begin), "");
    EXPECT_EQ(turns.take("more.b.test", begin), "");
    EXPECT_EQ(turns.take("more.b.test", begin + turn_pause), "more.b.test");
}

}  // namespace
}  // namespace relais::send
