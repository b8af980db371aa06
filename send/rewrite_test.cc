#include "send/rewrite.h"

#include <gtest/gtest.h>

namespace relais::send {
namespace {

const RewriteRules rules("noat.example", {"Local.Example", "noat.example"},
                         {"local.example", "relay.example"},
                         {"virtual.example:vuser", "joe@virtual.example:joes", ".sub.example:sub",
                          "deep.sub.example:", "user@exempt.example:x", "a%b@odd.example:odd", "novalue",
                          "twice.example:one", "twice.example:two"});

std::string shown(const RewriteRules& with, std::string_view recipient) {
    const Route route = rewrite(with, recipient);
    return route.is_local() ? "local " + route.address : "remote " + route.address + " host " + route.host;
}
std::string shown(std::string_view recipient) {
    return shown(rules, recipient);
}

TEST(Rewrite, LocalsAreExactAndWithoutCase) {
    EXPECT_EQ(shown("joe@local.example"), "local joe@local.example");
    EXPECT_EQ(shown("Joe@LOCAL.example"), "local Joe@LOCAL.example");
    EXPECT_EQ(shown("joe@x.local.example"), "remote joe@x.local.example host x.local.example");
}

TEST(Rewrite, AddressWithoutAt) {
    EXPECT_EQ(shown("root"), "local root@noat.example");
    EXPECT_EQ(shown(""), "local @noat.example");
}

TEST(Rewrite, TheLastAtSeparates) {
    EXPECT_EQ(shown("a@b@local.example"), "local a@b@local.example");
    EXPECT_EQ(shown("a@local.example@c.example"), "remote a@local.example@c.example host c.example");
    EXPECT_EQ(shown("a@"), "remote a@ host ");
}

TEST(Rewrite, Percenthack) {
    EXPECT_EQ(shown("joe%far.example@relay.example"), "remote joe@far.example host far.example");
    EXPECT_EQ(shown("joe%local.example@relay.example"), "local joe@local.example");
    EXPECT_EQ(shown("joe%far.example%relay.example@local.example"),
              "remote joe@far.example host far.example");
    EXPECT_EQ(shown("joe%far.example@other.example"),
              "remote joe%far.example@other.example host other.example");
    EXPECT_EQ(shown("joe@local.example"), "local joe@local.example");
    EXPECT_EQ(shown("%far.example@relay.example"), "remote @far.example host far.example");
    EXPECT_EQ(shown("@relay.example"), "remote @relay.example host relay.example");
}

TEST(Rewrite, VirtualDomains) {
    EXPECT_EQ(shown("ann@virtual.example"), "local vuser-ann@virtual.example");
    EXPECT_EQ(shown("JOE@Virtual.example"), "local joes-JOE@Virtual.example");
    EXPECT_EQ(shown("ann@a.sub.example"), "local sub-ann@a.sub.example");
    EXPECT_EQ(shown("ann@sub.example"), "remote ann@sub.example host sub.example");
    EXPECT_EQ(shown("ann@deep.sub.example"), "remote ann@deep.sub.example host deep.sub.example");
    EXPECT_EQ(shown("ann@x.deep.sub.example"), "local sub-ann@x.deep.sub.example");
    EXPECT_EQ(shown("ann@exempt.example"), "remote ann@exempt.example host exempt.example");
    EXPECT_EQ(shown("a%b@odd.example"), "local odd-a%b@odd.example");
    EXPECT_EQ(shown("ann@twice.example"), "local two-ann@twice.example");
    EXPECT_EQ(rewrite(rules, "ann@virtual.example").plain, "ann@virtual.example");
}

TEST(Rewrite, CatchAllAndItsExceptions) {
    const RewriteRules all("h", {"local.example"}, {}, {":catch", "direct.example:"});
    EXPECT_EQ(shown(all, "a@any.example"), "local catch-a@any.example");
    EXPECT_EQ(shown(all, "a@local.example"), "local a@local.example");
    EXPECT_EQ(shown(all, "a@direct.example"), "remote a@direct.example host direct.example");
    const RewriteRules none("h", {}, {}, {});
    EXPECT_EQ(shown(none, "a@any.example"), "remote a@any.example host any.example");
}

TEST(Rewrite, TheUserOfALocalAddress) {
    const RewriteRules some("x", {"local.example"}, {}, {"virtual.example:Fred-web"});
    EXPECT_EQ(user_name(rewrite(some, "Joe-list-request@local.example")), "joe");
    EXPECT_EQ(user_name(rewrite(some, "ann@local.example")), "ann");
    EXPECT_EQ(user_name(rewrite(some, "anybody@virtual.example")), "fred");
}

TEST(Verp, Expansion) {
    EXPECT_EQ(expand_verp("list-@host.example-@[]", "joe@example.org"), "list-joe=example.org@host.example");
    EXPECT_EQ(expand_verp("list-@host.example", "joe@example.org"), "list-@host.example");
    EXPECT_EQ(expand_verp("#@[]", "joe@example.org"), "#@[]");
    EXPECT_EQ(expand_verp("", "joe@example.org"), "");
    EXPECT_EQ(expand_verp("-@[]", "joe@example.org"), "-@[]");
    EXPECT_EQ(expand_verp("@-@[]", "a@b"), "a=b@");
    EXPECT_EQ(expand_verp("list-@h-@[]", "nohost"), "list-@h-@[]");
    EXPECT_TRUE(is_verp("list-@host-@[]"));
    EXPECT_FALSE(is_verp("#@[]"));
}

TEST(Rewrite, BothSpellingsOfADomainAreOne) {
    const std::string u = "b\xc3\xbc"
                          "cher.example",
                      a = "xn--bcher-kva.example";
    for (const std::string& listed : {u, a})
        for (const std::string& written : {u, a}) {
            const RewriteRules locals("x", {listed}, {listed}, {});
            EXPECT_TRUE(rewrite(locals, "bob@" + written).is_local()) << listed << written;
            const RewriteRules virtuals("x", {}, {}, {listed + ":shop", "." + listed + ":below"});
            EXPECT_EQ(rewrite(virtuals, "j\xc3\xb6rg@" + written).address, "shop-j\xc3\xb6rg@" + written);
            EXPECT_EQ(rewrite(virtuals, "bob@www." + written).address, "below-bob@www." + written);
        }
    const Route route = rewrite(RewriteRules("x", {}, {}, {}), "j\xc3\xb6rg@" + u);
    EXPECT_EQ(route.host, a);
    EXPECT_EQ(route.address, "j\xc3\xb6rg@" + u);
}

}  // namespace
}  // namespace relais::send
