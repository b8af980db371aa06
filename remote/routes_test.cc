#include "remote/routes.h"

#include <gtest/gtest.h>

namespace relais::remote {
namespace {

TEST(Routes, TheMostSpecificLineCounts) {
    const Routes routes({"a.example:one", ".example:two", "x.a.example:three", ":four"});
    EXPECT_EQ(routes.match("a.example").host, "one");
    EXPECT_EQ(routes.match("A.Example").host, "one");
    EXPECT_EQ(routes.match("b.example").host, "two");
    EXPECT_EQ(routes.match("c.b.example").host, "two");
    EXPECT_EQ(routes.match("x.a.example").host, "three");
    EXPECT_EQ(routes.match("example").host, "four");
    EXPECT_EQ(routes.match("").host, "four");
    EXPECT_TRUE(routes.match("b.example").named);
    EXPECT_FALSE(routes.match("elsewhere").named);
}

TEST(Routes, WithoutALineThereIsNoRoute) {
    const Route route = Routes({"a.example:one"}).match("b.example");
    EXPECT_EQ(route.host, "");
    EXPECT_EQ(route.port, 25);
    EXPECT_FALSE(route.named);
    EXPECT_TRUE(route.usable);
    EXPECT_TRUE(Routes({"no colon"}).match("no colon").host.empty());
}

TEST(Routes, HostsAndPorts) {
    const Routes routes({"a:host:26", "b::27", "c:[2001:db8::1]:28", "d:[IPv6:2001:db8::2]", "e:192.0.2.1",
                         "f:host:", "g:", "[10.0.0.1]:relay", "[IPv6:::1]:relay6:29",
                         "h:host:30|user|p:a|ss"});
    const auto is = [&](const char* domain, const char* host, int port) {
        const Route route = routes.match(domain);
        EXPECT_TRUE(route.usable) << domain;
        EXPECT_EQ(route.host, host) << domain;
        EXPECT_EQ(route.port, port) << domain;
    };
    is("a", "host", 26);
    is("b", "", 27);
    is("c", "2001:db8::1", 28);
    is("d", "2001:db8::2", 25);
    is("e", "192.0.2.1", 25);
    is("f", "host", 25);
    is("g", "", 25);
    is("[10.0.0.1]", "relay", 25);
    is("[ipv6:::1]", "relay6", 29);
    is("h", "host", 30);
}

TEST(Routes, AWrongLineIsNoRouteElsewhere) {
    const Routes routes({"a:host:0", "b:host:65536", "c:host:x", "d:[2001:db8::1", "e:[::1]25",
                         "f:2001:db8::1", "g:[]:25", "h:]", "i:[[x]", ":good"});
    for (const char* domain : {"a", "b", "c", "d", "e", "f", "g", "h", "i"})
        EXPECT_FALSE(routes.match(domain).usable) << domain;
    EXPECT_TRUE(routes.match("z").usable);
}

TEST(Routes, Credentials) {
    const Routes routes({"a:host:587|user@a.example|p:a|s s", "b:host|user", "c:host|user|", "d:host||pass",
                         ":[::1]:465|all|x", "e:host|", "f:host:x|user|pass"});
    const Route a = routes.match("a");
    EXPECT_TRUE(a.usable);
    EXPECT_EQ(a.port, 587);
    ASSERT_TRUE(a.credentials);
    EXPECT_EQ(a.credentials->user, "user@a.example");
    EXPECT_EQ(a.credentials->password.view(), "p:a|s s");
    EXPECT_EQ(a.line, "a:host:587|user@a.example|...");
    // Half of what is needed: nothing is sent rather than sent without a name.
    for (const char* domain : {"b", "c", "d", "e", "f"}) {
        EXPECT_FALSE(routes.match(domain).usable) << domain;
        EXPECT_EQ(routes.match(domain).line.find("pass"), std::string::npos);
    }
    EXPECT_EQ(routes.match("elsewhere").host, "::1");
    EXPECT_EQ(routes.match("elsewhere").credentials->password.view(), "x");
    EXPECT_TRUE(routes.has_credentials());
    EXPECT_FALSE(Routes({"a:b"}).has_credentials());
}

TEST(Routes, APasswordIsNotForWhoeverAnMxNames) {
    for (const char* line : {":|u|p", "::587|u|p", "a::587|u|p"}) {
        const Route route = Routes({line}).match("a");
        EXPECT_FALSE(route.usable) << line;
        EXPECT_EQ(route.complaint, "a route with a password must name its server");
    }
}

TEST(Routes, WithoutAColonAPasswordStopsEverything) {
    const Routes routes({"smtp.example|u|p:w", "b:host"});
    EXPECT_FALSE(routes.match("a").usable);
    EXPECT_EQ(routes.match("a").line, "smtp.example|...");
    EXPECT_TRUE(routes.match("b").usable);
    EXPECT_TRUE(Routes({"no colon"}).match("a").usable);
}

TEST(Routes, WhoOnlyAsksForTheWayKeepsNoPassword) {
    const Routes routes({"a:host|user|secret"}, Passwords::forget);
    EXPECT_TRUE(routes.match("a").usable);
    EXPECT_EQ(routes.match("a").credentials->user, "user");
    EXPECT_EQ(routes.match("a").credentials->password.size(), 0U);
}

TEST(SenderRoutes, TheMostSpecificLineCounts) {
    const SenderRoutes routes(
        {"@a.example:one:587|u|p", "x@A.example:two", "@.b.example:three", "c.example:four", "no colon"});
    ASSERT_NE(routes.match("me@a.example"), nullptr);
    EXPECT_EQ(routes.match("me@a.example")->host, "one");
    EXPECT_TRUE(routes.match("me@a.example")->of_sender);
    EXPECT_EQ(routes.match("X@a.EXAMPLE")->host, "two");
    EXPECT_EQ(routes.match("x@y.b.example")->host, "three");
    EXPECT_EQ(routes.match("x@c.example")->host, "four");
    EXPECT_EQ(routes.match("x@b.example"), nullptr);
    EXPECT_EQ(routes.match(""), nullptr);
    EXPECT_EQ(routes.match("a.example"), nullptr);
    const SenderRoutes all({":host:587|u|p"});
    EXPECT_EQ(all.match("")->host, "host");
    EXPECT_EQ(all.match("x@y")->host, "host");
}

std::string stored_at(const std::vector<std::string>& lines, std::string_view domain) {
    const LmtpRoutes routes(lines);
    const Route* route = routes.match(domain);
    if (route == nullptr) return "-";
    if (!route->usable) return "? " + route->complaint;
    return route->socket.empty() ? route->host + ":" + std::to_string(route->port) : route->socket;
}

// By whom mail for a domain is taken, with both files.
std::string taken_by(const std::vector<std::string_view>& smtp, const std::vector<std::string>& qmtp,
                     std::string_view domain) {
    Routes routes(smtp);
    routes.add_qmtp(qmtp);
    const Route route = routes.match(domain);
    if (!route.usable) return "? " + route.complaint;
    return std::string(route.name()) + " " + route.host + ":" + std::to_string(route.port);
}

TEST(QmtpRoutes, AreOneTableWithThoseOfSmtp) {
    EXPECT_EQ(taken_by({}, {":hub.test"}, "a.test"), "qmtproutes hub.test:209");
    EXPECT_EQ(taken_by({}, {"a.test:hub.test"}, "b.test"), "smtproutes :25");
    EXPECT_EQ(taken_by({}, {".c.test:[::1]:6209"}, "x.C.test"), "qmtproutes ::1:6209");
    // The most specific line counts, whichever file it is in.
    EXPECT_EQ(taken_by({"a.test:"}, {":hub.test"}, "a.test"), "smtproutes :25");
    EXPECT_EQ(taken_by({":smart.test"}, {"a.test:hub.test"}, "a.test"), "qmtproutes hub.test:209");
    EXPECT_EQ(taken_by({"a.test:smart.test"}, {"a.test:hub.test"}, "a.test"), "qmtproutes hub.test:209");
    EXPECT_EQ(taken_by({}, {"a.test:one.test", "a.test:two.test"}, "a.test"), "qmtproutes one.test:209");
}

TEST(QmtpRoutes, WhatCannotBeUsedMakesMailWait) {
    EXPECT_EQ(taken_by({}, {"a.test:"}, "a.test"), "? a host must stand behind the domain");
    EXPECT_EQ(taken_by({}, {"a.test::209"}, "a.test"), "? a host must stand behind the domain");
    EXPECT_EQ(taken_by({}, {"a.test:hub.test:x"}, "a.test"), "? the port is no number from 1 to 65535");
    EXPECT_EQ(taken_by({}, {"nothing"}, "a.test"), "smtproutes :25");
}

TEST(LmtpRoutes, SocketsAndPorts) {
    const std::vector<std::string> lines{"A.test:/run/lmtp", "b.test:store.test:24", ".c.test:[::1]:2003",
                                         "a.test:/other"};
    EXPECT_EQ(stored_at(lines, "a.TEST"), "/run/lmtp");
    EXPECT_EQ(stored_at(lines, "b.test"), "store.test:24");
    EXPECT_EQ(stored_at(lines, "x.c.test"), "::1:2003");
    EXPECT_EQ(stored_at(lines, "c.test"), "-");
    EXPECT_EQ(stored_at(lines, "x.a.test"), "-");
    EXPECT_EQ(stored_at({}, "a.test"), "-");
    // Both spellings are one domain.
    EXPECT_EQ(stored_at({"bücher.test:/run/lmtp"}, "xn--bcher-kva.test"), "/run/lmtp");
    EXPECT_EQ(stored_at({"xn--bcher-kva.test:/run/lmtp"}, "BÜCHER.test"), "/run/lmtp");
}

TEST(LmtpRoutes, WhatCannotBeUsedMakesMailWait) {
    EXPECT_EQ(stored_at({"a.test:host"}, "a.test"),
              "? a host and a port must stand behind the domain, or a path");
    EXPECT_EQ(stored_at({"a.test:"}, "a.test"),
              "? a host and a port must stand behind the domain, or a path");
    EXPECT_EQ(stored_at({"a.test::24"}, "a.test"),
              "? a host and a port must stand behind the domain, or a path");
    EXPECT_EQ(stored_at({"a.test:host:x"}, "a.test"), "? the port is no number from 1 to 65535");
    EXPECT_EQ(stored_at({"a.test:/" + std::string(107, 'x')}, "a.test"),
              "? the path of a socket has 107 octets at most");
    // Nobody's mail is stored without the domain's name.
    EXPECT_EQ(stored_at({":/run/lmtp", "nothing"}, "a.test"), "-");
}

}  // namespace
}  // namespace relais::remote
