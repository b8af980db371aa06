#include "listen/visitor.h"

#include <gmock/gmock.h>

#include "base/error.h"

namespace relais::listen {
namespace {

Visitor visitor(const std::string& ip) {
    return {{ip, 4711}, {"192.0.2.25", 25}, Beginning::greeted, {{"RELAYCLIENT", ""}, {"X", "y z"}}, "note"};
}

TEST(Visitor, ComesAsItWasSent) {
    for (const Beginning beginning : {Beginning::greeting, Beginning::greeted, Beginning::tls})
        for (const bool flag : {false, true}) {
            Visitor sent = visitor(flag ? "2001:db8::1" : "192.0.2.1");
            sent.beginning = beginning;
            sent.last = flag;
            sent.in_a_crowd = !flag;
            EXPECT_EQ(decode_visitor(encode(sent)), sent);
        }
    const Visitor plain{{"192.0.2.1", 1}, {"192.0.2.2", 2}};
    EXPECT_EQ(decode_visitor(encode(plain)), plain);
}

TEST(Visitor, AnotherFormIsNotTaken) {
    const std::string whole = encode(visitor("192.0.2.1"));
    for (const std::string& packet :
         {std::string(), std::string("g--"), whole.substr(0, whole.size() - 1), "x" + whole.substr(1)})
        EXPECT_THROW(decode_visitor(packet), Error);
}

TEST(Visitor, AProcessIsUsedAgainForTheSameNeighbourhoodAndRule) {
    EXPECT_EQ(key_of(visitor("2001:db8::1")), key_of(visitor("2001:db8::2")));
    EXPECT_NE(key_of(visitor("2001:db8::1")), key_of(visitor("2001:db8:0:1::1")));
    EXPECT_NE(key_of(visitor("192.0.2.1")), key_of(visitor("192.0.2.2")));
    Visitor other = visitor("192.0.2.1");
    other.rule.pop_back();
    EXPECT_NE(key_of(visitor("192.0.2.1")), key_of(other));
    other.rule = {{"RELAYCLIENT", "X"}, {"", "y z"}};
    EXPECT_NE(key_of(visitor("192.0.2.1")), key_of(other));
}

TEST(Visitor, VariablesAreTcpserversAndThenTheRules) {
    const Variables v4 = variables_of(visitor("192.0.2.1"), "mail.test");
    EXPECT_THAT(v4, testing::ElementsAre(
                        testing::Pair("PROTO", "TCP"), testing::Pair("TCPLOCALIP", "192.0.2.25"),
                        testing::Pair("TCPLOCALPORT", "25"), testing::Pair("TCPLOCALHOST", "mail.test"),
                        testing::Pair("TCPREMOTEIP", "192.0.2.1"), testing::Pair("TCPREMOTEPORT", "4711"),
                        testing::Pair("RELAYCLIENT", ""), testing::Pair("X", "y z")));
    EXPECT_THAT(
        variables_of(visitor("2001:db8::1"), "mail.test"),
        testing::IsSupersetOf({testing::Pair(std::string("PROTO"), std::string("TCP6")),
                               testing::Pair(std::string("TCP6REMOTEIP"), std::string("2001:db8::1")),
                               testing::Pair(std::string("TCPREMOTEIP"), std::string("2001:db8::1"))}));
}

}  // namespace
}  // namespace relais::listen
