#include "remote/servers.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace relais::remote {
namespace {

// Answers from a table; a name that is not in it does not exist.
class FakeResolver : public net::Resolver {
  public:
    FakeResolver() : Resolver(control::Home("/nonexistent")) {}

    net::DnsAnswer ask(net::RecordType type, std::string_view name, Deadline) override {
        asked.emplace_back(name);
        const auto found = answers.find({type, std::string(name)});
        if (found != answers.end()) return found->second;
        for (const auto& [key, answer] : answers)
            if (key.second == name) return net::DnsAnswer::without_records(net::DnsStatus::no_such_record);
        return net::DnsAnswer::without_records(net::DnsStatus::no_such_name);
    }
    void add(net::RecordType type, const std::string& name, std::vector<net::DnsRecord> records) {
        net::DnsAnswer& answer = answers[{type, name}];
        answer.status = net::DnsStatus::found;
        answer.records = std::move(records);
    }
    void mx(const std::string& name, std::vector<net::DnsRecord> records) {
        add(net::RecordType::mx, name, std::move(records));
    }
    void a(const std::string& name, const std::string& address) {
        add(net::RecordType::a, name, {{0, address}});
    }
    void aaaa(const std::string& name, const std::string& address) {
        add(net::RecordType::aaaa, name, {{0, address}});
    }
    void fail(net::RecordType type, const std::string& name) {
        answers[{type, name}] = net::DnsAnswer::without_records(net::DnsStatus::failed);
    }

    std::map<std::pair<net::RecordType, std::string>, net::DnsAnswer> answers;
    std::vector<std::string> asked;
};

class Servers : public ::testing::Test {
  protected:
    ServerSearch search(const std::string& domain, const Route& route = {}) {
        policy.is_local = [](const std::string& address) { return address == "192.0.2.99"; };
        return ServerSearch(dns, domain, route, policy, Seconds(1));
    }
    std::vector<std::string> names(ServerSearch& search) {
        std::vector<std::string> result;
        while (auto server = search.next()) result.push_back(server->name);
        return result;
    }
    using Names = std::vector<std::string>;
    FakeResolver dns;
    AddressPolicy policy;
};

TEST_F(Servers, ByPreference) {
    dns.mx("x.example", {{30, "c.example"}, {10, "A.example."}, {20, "b.example"}});
    dns.a("a.example", "192.0.2.1");
    dns.a("b.example", "192.0.2.2");
    dns.a("c.example", "192.0.2.3");
    auto found = search("x.example");
    EXPECT_EQ(found.next()->addresses, (Names{"192.0.2.1"}));
    // The others are not looked up before their turn.
    EXPECT_EQ(dns.asked, (Names{"x.example", "a.example", "a.example"}));
    EXPECT_EQ(names(found), (Names{"b.example", "c.example"}));
    EXPECT_EQ(found.group(), "a.example,:25");
}

TEST_F(Servers, EqualPreferencesAreShuffled) {
    dns.mx("x.example", {{10, "a.example"}, {10, "b.example"}});
    dns.a("a.example", "192.0.2.1");
    dns.a("b.example", "192.0.2.2");
    std::set<std::string> first;
    for (int i = 0; i < 200; ++i) {
        auto found = search("x.example");
        first.insert(found.next()->name);
        EXPECT_EQ(found.group(), "a.example,b.example,:25");
    }
    EXPECT_EQ(first.size(), 2U);
}

TEST_F(Servers, BothFamiliesAndMappedAddresses) {
    dns.mx("x.example", {{10, "a.example"}});
    dns.a("a.example", "192.0.2.1");
    dns.aaaa("a.example", "2001:DB8:0::1");
    EXPECT_EQ(search("x.example").next()->addresses, (Names{"2001:db8::1", "192.0.2.1"}));
    dns.aaaa("a.example", "::ffff:127.0.0.1");
    dns.answers.erase({net::RecordType::a, "a.example"});
    auto found = search("x.example");
    EXPECT_FALSE(found.next());
    EXPECT_EQ(found.refusal().text, loops_back("127.0.0.1").text);
}

TEST_F(Servers, WithoutMxTheDomainItself) {
    dns.a("x.example", "192.0.2.1");
    auto found = search("x.example");
    EXPECT_EQ(names(found), (Names{"x.example"}));
}

TEST_F(Servers, Refusals) {
    const auto refused = [&](const std::string& domain, const Verdict& verdict) {
        auto found = search(domain);
        EXPECT_FALSE(found.next()) << domain;
        EXPECT_EQ(found.refusal().text, verdict.text) << domain;
        EXPECT_EQ(found.refusal().letter, verdict.letter) << domain;
    };
    dns.mx("null.example", {{0, ""}});
    dns.mx("dangling.example", {{10, "nowhere.example"}});
    dns.mx("number.example", {{10, "192.0.2.1"}});
    dns.fail(net::RecordType::mx, "failed.example");
    dns.mx("half.example", {{10, "half-host.example"}});
    dns.fail(net::RecordType::a, "half-host.example");
    refused("no.example", no_such_host("no.example"));
    refused("null.example", takes_no_mail("null.example"));
    refused("dangling.example", no_exchanger());
    refused("number.example", no_exchanger());
    refused("failed.example", dns_failed());
    refused("half.example", dns_failed());
}

TEST_F(Servers, NeverAnMxThatIsNoBetterThanWeAre) {
    dns.mx("x.example", {{10, "a.example"}, {20, "b.example"}, {20, "me.example"}, {30, "c.example"}});
    dns.a("a.example", "192.0.2.1");
    dns.a("b.example", "192.0.2.2");
    dns.a("me.example", "192.0.2.99");
    dns.a("c.example", "192.0.2.3");
    auto found = search("x.example");
    EXPECT_EQ(names(found), (Names{"a.example"}));
    // The best one gone: we are the best, and do not treat it as local.
    dns.answers.erase({net::RecordType::a, "a.example"});
    auto again = search("x.example");
    EXPECT_TRUE(names(again).empty());
    EXPECT_EQ(again.refusal().text, loops_back("").text);
    // Perhaps it is not gone: DNS failed.
    dns.fail(net::RecordType::a, "a.example");
    auto later = search("x.example");
    EXPECT_TRUE(names(later).empty());
    EXPECT_EQ(later.refusal().text, dns_failed().text);
}

TEST_F(Servers, PrivateAddresses) {
    dns.mx("x.example", {{10, "a.example"}, {20, "b.example"}});
    dns.a("a.example", "10.0.0.1");
    dns.a("b.example", "192.0.2.2");
    auto passed_over = search("x.example");
    EXPECT_EQ(names(passed_over), (Names{"b.example"}));
    dns.a("b.example", "192.168.0.1");
    auto refused = search("x.example");
    EXPECT_TRUE(names(refused).empty());
    EXPECT_EQ(refused.refusal().text, private_exchanger("x.example", "192.168.0.1").text);
    policy.allow_private = true;
    auto allowed = search("x.example");
    EXPECT_EQ(names(allowed), (Names{"a.example", "b.example"}));
    // But not ourselves, unless all is allowed.
    dns.a("a.example", "127.0.0.1");
    auto loop = search("x.example");
    EXPECT_TRUE(names(loop).empty());
    policy.allow_all = true;
    auto all = search("x.example");
    EXPECT_EQ(names(all), (Names{"a.example", "b.example"}));
}

TEST_F(Servers, ByRoute) {
    dns.a("relay.example", "127.0.0.1");
    Route route{"relay.example", 2525, true, true, ""};
    auto named = search("x.example", route);
    EXPECT_EQ(named.next()->addresses, (Names{"127.0.0.1"}));
    EXPECT_EQ(named.group(), "relay.example:2525");
    route.host = "::1";
    auto numbered = search("x.example", route);
    EXPECT_EQ(numbered.next()->addresses, (Names{"::1"}));
    // The administrator's mistake is not the sender's.
    route.host = "mistake.example";
    auto wrong = search("x.example", route);
    EXPECT_FALSE(wrong.next());
    EXPECT_EQ(wrong.refusal().letter, Letter::temporary);
    route.usable = false;
    auto unusable = search("x.example", route);
    EXPECT_FALSE(unusable.next());
    EXPECT_EQ(unusable.refusal().letter, Letter::temporary);
}

TEST_F(Servers, Literals) {
    auto literal = search("[192.0.2.1]");
    EXPECT_EQ(literal.next()->addresses, (Names{"192.0.2.1"}));
    auto six = search("[IPv6:2001:db8::1]");
    EXPECT_EQ(six.next()->addresses, (Names{"2001:db8::1"}));
    auto ours = search("[192.0.2.99]");
    EXPECT_FALSE(ours.next());
    EXPECT_EQ(ours.refusal().text, loops_back("").text);
    EXPECT_TRUE(dns.asked.empty());
}

TEST_F(Servers, HostileAnswersAreBounded) {
    std::vector<net::DnsRecord> many;
    for (int i = 0; i < 5000; ++i) many.push_back({10, "h" + std::to_string(i) + ".example"});
    dns.mx("x.example", many);
    std::vector<net::DnsRecord> addresses;
    for (int i = 0; i < 250; ++i) addresses.push_back({0, "192.0.2." + std::to_string(i)});
    dns.add(net::RecordType::a, "h1.example", addresses);
    for (int i = 2; i < 5000; ++i) dns.a("h" + std::to_string(i) + ".example", "192.0.2.1");
    auto found = search("x.example");
    std::size_t count = 0;
    while (auto server = found.next()) {
        EXPECT_LE(server->addresses.size(), 8U);
        ++count;
    }
    EXPECT_LE(count, 20U);
    EXPECT_LE(found.group().size(), 250U);
}

TEST(Addresses, Kinds) {
    for (const char* address : {"127.0.0.1", "127.255.0.1", "0.0.0.0", "0.1.2.3", "::", "::1"})
        EXPECT_EQ(kind_of(address), AddressKind::ours) << address;
    for (const char* address : {"10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.1.1",
                                "100.64.0.1", "100.127.255.255", "fc00::1", "fdff::1", "fe80::1", "febf::1"})
        EXPECT_EQ(kind_of(address), AddressKind::private_) << address;
    for (const char* address : {"192.0.2.1", "172.15.255.255", "172.32.0.0", "100.63.255.255", "100.128.0.0",
                                "11.0.0.1", "128.0.0.1", "2001:db8::1", "fbff::1"})
        EXPECT_EQ(kind_of(address), AddressKind::global) << address;
    for (const char* address : {"224.0.0.1", "255.255.255.255", "240.0.0.1", "ff02::1", "not an address", ""})
        EXPECT_EQ(kind_of(address), AddressKind::unusable) << address;
}

TEST(AddressKind, WhatLeadsToAnIpv4AddressIsNoBetterThanIt) {
    for (const char* address : {"64:ff9b::7f00:1", "2002:7f00:1::1", "64:ff9b::"})
        EXPECT_EQ(kind_of(address), AddressKind::ours) << address;
    for (const char* address :
         {"64:ff9b::a00:1", "2002:c0a8:101::1", "2002:a9fe:a9fe::", "64:ff9b:1::808:808"})
        EXPECT_EQ(kind_of(address), AddressKind::private_) << address;
    for (const char* address : {"64:ff9b::808:808", "2002:808:808::1", "64:ff9b:2::7f00:1", "2003::1"})
        EXPECT_EQ(kind_of(address), AddressKind::global) << address;
    for (const char* address : {"100::1", "::2", "::7f00:1", "64:ff9b::e000:1", "2002:f000:1::"})
        EXPECT_EQ(kind_of(address), AddressKind::unusable) << address;
}

class SecureServers : public Servers {
  protected:
    // DNSSEC vouches for it all.
    void SetUp() override {
        dns.mx("x.example", {{10, "mx.example"}});
        dns.a("mx.example", "192.0.2.1");
        dns.add(net::RecordType::tlsa, "_25._tcp.mx.example", {{0, "3 1 1 " + std::string(64, 'a')}});
        for (auto& [key, answer] : dns.answers) answer.secure = true;
    }
    Dane dane(const Route& route = {}) {
        auto found = search("x.example", route);
        return found.dane(*found.next());
    }
};

TEST_F(SecureServers, AreHeldToTheirTlsaRecords) {
    EXPECT_EQ(dane().state, Dane::State::usable);
    EXPECT_EQ(dane().names, (Names{"mx.example", "x.example"}));
}

TEST_F(SecureServers, AnInsecureMxRecordMakesNoDemand) {
    dns.answers[{net::RecordType::mx, "x.example"}].secure = false;
    EXPECT_EQ(dane().state, Dane::State::unvalidated);
    EXPECT_EQ(std::count(dns.asked.begin(), dns.asked.end(), "_25._tcp.mx.example"), 0);
}

TEST_F(SecureServers, OneInsecureAddressIsEnough) {
    dns.aaaa("mx.example", "2001:db8::1");
    EXPECT_EQ(dane().state, Dane::State::unvalidated);
}

TEST_F(SecureServers, ADomainWithoutMx) {
    dns.answers.erase({net::RecordType::mx, "x.example"});
    dns.answers[{net::RecordType::mx, "x.example"}] =
        net::DnsAnswer::without_records(net::DnsStatus::no_such_record);
    dns.answers[{net::RecordType::mx, "x.example"}].secure = true;
    dns.a("x.example", "192.0.2.7");
    dns.answers[{net::RecordType::a, "x.example"}].secure = true;
    dns.add(net::RecordType::tlsa, "_25._tcp.x.example", {{0, "3 1 1 " + std::string(64, 'b')}});
    dns.answers[{net::RecordType::tlsa, "_25._tcp.x.example"}].secure = true;
    EXPECT_EQ(dane().name, "_25._tcp.x.example");
}

TEST_F(SecureServers, AnAliasOfTheDomainIsAName) {
    dns.answers[{net::RecordType::mx, "x.example"}].canonical_name = "real.example.";
    EXPECT_EQ(dane().names, (Names{"mx.example", "x.example", "real.example"}));
}

TEST_F(SecureServers, ARouteNamesItsHost) {
    Route route;
    route.host = "smart.example";
    route.port = 587;
    dns.a("smart.example", "192.0.2.9");
    EXPECT_EQ(dane(route).state, Dane::State::unvalidated);
    dns.answers[{net::RecordType::a, "smart.example"}].secure = true;
    dns.add(net::RecordType::tlsa, "_587._tcp.smart.example", {{0, "3 1 1 " + std::string(64, 'c')}});
    dns.answers[{net::RecordType::tlsa, "_587._tcp.smart.example"}].secure = true;
    EXPECT_EQ(dane(route).name, "_587._tcp.smart.example");
    EXPECT_EQ(dane(route).names, (Names{"smart.example"}));
    route.host = "192.0.2.9";
    EXPECT_EQ(dane(route).state, Dane::State::unvalidated);
}

}  // namespace
}  // namespace relais::remote
