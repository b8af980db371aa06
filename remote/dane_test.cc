#include "remote/dane.h"

#include <gtest/gtest.h>

#include <map>
#include <utility>

#include "tls/context.h"

namespace relais::remote {
namespace {

const std::string dane_digest(64, 'a');
const std::string dane_record = "3 1 1 " + dane_digest;

using DaneState = Dane::State;
using NameList = std::vector<std::string>;

// DNS as a table says; what is not in it does not exist, which DNSSEC vouches for.
struct Zones {
    std::map<std::pair<net::RecordType, std::string>, net::DnsAnswer> answers;
    NameList asked;

    void add(net::RecordType type, const std::string& name, NameList texts, bool secure = true) {
        net::DnsAnswer& answer = answers[{type, name}];
        answer.status = net::DnsStatus::found;
        answer.secure = secure;
        for (std::string& text : texts) answer.records.push_back({0, std::move(text)});
    }
    void tlsa(const std::string& host, NameList texts, bool secure = true) {
        add(net::RecordType::tlsa, "_25._tcp." + host, std::move(texts), secure);
    }
    void fails(net::RecordType type, const std::string& name,
               net::DnsStatus status = net::DnsStatus::failed) {
        answers[{type, name}] = net::DnsAnswer::without_records(status);
    }
    Dane find(const DaneQuestion& question) {
        const auto ask = [this](net::RecordType type, const std::string& name) {
            asked.push_back(name);
            const auto found = answers.find({type, name});
            if (found != answers.end()) return found->second;
            net::DnsAnswer nothing = net::DnsAnswer::without_records(net::DnsStatus::no_such_name);
            nothing.secure = true;
            return nothing;
        };
        return find_dane(ask, question);
    }
};

DaneQuestion question_of(const std::string& host, bool secure = true, const std::string& alias_of = "") {
    return {host, alias_of, 25, secure, {"there.test", ""}};
}

TEST(Dane, RecordsOfASecureHost) {
    Zones zones;
    zones.tlsa("mx.test", {dane_record, "2 0 2 " + dane_digest + dane_digest});
    const Dane found = zones.find(question_of("mx.test"));
    EXPECT_EQ(found.state, DaneState::usable);
    EXPECT_EQ(found.name, "_25._tcp.mx.test");
    EXPECT_EQ(found.records.size(), 2U);
    EXPECT_EQ(found.ignored, 0U);
    EXPECT_EQ(found.names, (NameList{"mx.test", "there.test"}));
}

TEST(Dane, NoRecords) {
    Zones zones;
    EXPECT_EQ(zones.find(question_of("mx.test")).state, DaneState::none);
    zones.fails(net::RecordType::tlsa, "_25._tcp.mx.test", net::DnsStatus::no_such_record);
    EXPECT_EQ(zones.find(question_of("mx.test")).state, DaneState::none);
}

TEST(Dane, ARecordThatNobodyVouchesForIsNone) {
    Zones zones;
    zones.tlsa("mx.test", {dane_record}, false);
    EXPECT_EQ(zones.find(question_of("mx.test")).state, DaneState::none);
}

TEST(Dane, AnInsecureHostIsNotEvenAskedAbout) {
    Zones zones;
    zones.tlsa("mx.test", {dane_record});
    EXPECT_EQ(zones.find(question_of("mx.test", false)).state, DaneState::unvalidated);
    EXPECT_TRUE(zones.asked.empty());
}

TEST(Dane, ThePortCounts) {
    Zones zones;
    zones.add(net::RecordType::tlsa, "_587._tcp.mx.test", {dane_record});
    DaneQuestion question = question_of("mx.test");
    EXPECT_EQ(zones.find(question).state, DaneState::none);
    question.port = 587;
    EXPECT_EQ(zones.find(question).state, DaneState::usable);
}

TEST(Dane, FailureIsNotAbsence) {
    Zones zones;
    zones.fails(net::RecordType::tlsa, "_25._tcp.mx.test");
    Dane found = zones.find(question_of("mx.test"));
    EXPECT_EQ(found.state, DaneState::unknown);
    EXPECT_FALSE(found.forged);
    zones.fails(net::RecordType::tlsa, "_25._tcp.mx.test", net::DnsStatus::bogus);
    found = zones.find(question_of("mx.test"));
    EXPECT_EQ(found.state, DaneState::unknown);
    EXPECT_TRUE(found.forged);
    const Verdict verdict = dane_unknown(found);
    EXPECT_EQ(verdict.letter, Letter::temporary);
    EXPECT_NE(verdict.text.find("_25._tcp.mx.test"), std::string::npos);
    EXPECT_NE(verdict.text.find("forged"), std::string::npos);
}

TEST(Dane, BehindAnAliasFirst) {
    Zones zones;
    zones.tlsa("real.test", {dane_record});
    zones.tlsa("mx.test", {"3 1 1 " + std::string(64, 'b')});
    const Dane found = zones.find(question_of("mx.test", true, "real.test"));
    EXPECT_EQ(found.name, "_25._tcp.real.test");
    EXPECT_EQ(found.names, (NameList{"real.test", "there.test", "mx.test"}));
    EXPECT_EQ(zones.asked, (NameList{"_25._tcp.real.test"}));
}

TEST(Dane, ThenAtTheAliasItself) {
    Zones zones;
    zones.tlsa("mx.test", {dane_record});
    const Dane found = zones.find(question_of("mx.test", true, "real.test"));
    EXPECT_EQ(found.name, "_25._tcp.mx.test");
    EXPECT_EQ(found.names, (NameList{"mx.test", "there.test"}));
    zones.fails(net::RecordType::tlsa, "_25._tcp.real.test");
    EXPECT_EQ(zones.find(question_of("mx.test", true, "real.test")).state, DaneState::unknown);
}

TEST(Dane, ASecureAliasOfAnInsecureName) {
    Zones zones;
    zones.add(net::RecordType::cname, "mx.test", {"real.unsigned"});
    zones.tlsa("mx.test", {dane_record});
    zones.tlsa("real.unsigned", {dane_record});
    const Dane found = zones.find(question_of("mx.test", false, "real.unsigned"));
    EXPECT_EQ(found.state, DaneState::usable);
    EXPECT_EQ(found.name, "_25._tcp.mx.test");
    EXPECT_EQ(zones.asked, (NameList{"mx.test", "_25._tcp.mx.test"}));
}

TEST(Dane, AnInsecureAlias) {
    Zones zones;
    zones.add(net::RecordType::cname, "mx.test", {"real.test"}, false);
    zones.tlsa("mx.test", {dane_record});
    zones.tlsa("real.test", {dane_record});
    EXPECT_EQ(zones.find(question_of("mx.test", false, "real.test")).state, DaneState::unvalidated);
    zones.fails(net::RecordType::cname, "mx.test");
    EXPECT_EQ(zones.find(question_of("mx.test", false, "real.test")).state, DaneState::unknown);
}

TEST(Dane, WhatCannotBeUsed) {
    const tls::ClientContext openssl_is_ready;
    for (const std::string& text : std::vector<std::string>{
             "", "3 1 1", "3 1 1 " + dane_digest.substr(1), "0 1 1 " + dane_digest, "1 1 1 " + dane_digest,
             "4 1 1 " + dane_digest, "255 1 1 " + dane_digest, "3 2 1 " + dane_digest, "3 1 3 " + dane_digest,
             "3 1 2 " + dane_digest, "3 1 1 " + dane_digest + "aa", "3 1 1 ", "3 1 0 " + dane_digest,
             "3 0 0 " + dane_digest, "2 0 0 ", "3 1 1 " + std::string(64, 'g'), "3  1 1 " + dane_digest,
             "03333 1 1 " + dane_digest, "256 1 1 " + dane_digest}) {
        Zones zones;
        zones.tlsa("mx.test", {text});
        const Dane found = zones.find(question_of("mx.test"));
        EXPECT_EQ(found.state, DaneState::unusable) << text;
        EXPECT_EQ(found.ignored, 1U) << text;
        const TlsPolicy policy = with_dane({}, found);
        EXPECT_EQ(policy.level, TlsLevel::encrypt) << text;
        EXPECT_TRUE(policy.required() && !policy.authenticates_server()) << text;
    }
}

TEST(Dane, OneThatCanBeUsedCounts) {
    Zones zones;
    zones.tlsa("mx.test", {"1 1 1 " + dane_digest, "", dane_record});
    const Dane found = zones.find(question_of("mx.test"));
    EXPECT_EQ(found.state, DaneState::usable);
    EXPECT_EQ(found.records.size(), 1U);
    EXPECT_EQ(found.ignored, 2U);
    const TlsPolicy policy = with_dane({}, found);
    EXPECT_EQ(policy.level, TlsLevel::dane);
    EXPECT_TRUE(policy.required() && policy.authenticates_server());
    EXPECT_EQ(policy.tlsa.size(), 1U);
    EXPECT_NE(policy.identity(), TlsPolicy{}.identity());
}

TEST(Dane, TheAdministratorsLineFirst) {
    const TlsDestinations destinations({"mx.test:may", ".test:none", "other.example:encrypt"});
    EXPECT_FALSE(leaves_to_dns(destinations.match({"mx.test"})));
    EXPECT_FALSE(leaves_to_dns(destinations.match({"other.example"})));
    EXPECT_TRUE(leaves_to_dns(destinations.match({"else.example"})));
    EXPECT_TRUE(leaves_to_dns(TlsDestinations({":encrypt"}).match({"mx.test"})));
    EXPECT_TRUE(leaves_to_dns(TlsDestinations({":may min=1.3"}).match({"mx.test"})));
    for (const char* line : {":none", ":verify", ":nonsense"})
        EXPECT_FALSE(leaves_to_dns(TlsDestinations({line}).match({"mx.test"}))) << line;
    // Who gets a password is verified by an authority, unless a line says otherwise.
    EXPECT_FALSE(leaves_to_dns(with_credentials(TlsDestinations().match({"mx.test"}))));
}

TEST(Dane, WhatALineForAllAsksForStays) {
    Zones zones;
    zones.tlsa("mx.test", {dane_record});
    const TlsPolicy policy =
        with_dane(TlsDestinations({":may min=1.3"}).match({"mx.test"}), zones.find(question_of("mx.test")));
    EXPECT_TRUE(policy.only_13);
    EXPECT_EQ(policy.level, TlsLevel::dane);
    EXPECT_EQ(with_dane({}, Dane{}).level, TlsLevel::may);
}

TEST(Dane, NoLineCanSayDane) {
    EXPECT_FALSE(parse_tls_policy("dane").usable);
    EXPECT_EQ(name_of(TlsLevel::dane), "dane");
}

}  // namespace
}  // namespace relais::remote
