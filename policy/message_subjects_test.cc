#include "policy/message_subjects.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace relais::policy {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr std::string_view head =
    "From: Anna <Anna@Far.example>\nSubject: http://subject.example/\n"
    "Content-Type: multipart/mixed; boundary=x\n\n";

MessageSubjects subjects_of(std::string_view text, std::size_t piece = std::string_view::npos) {
    MessageSubjects subjects;
    for (std::size_t at = 0; at < text.size(); at += std::min(piece, text.size()))
        subjects.add(text.substr(at, piece));
    subjects.finish();
    return subjects;
}

std::vector<std::string> hosts_in(std::string_view body) {
    const std::string text = std::string(head) + std::string(body);
    const auto whole = subjects_of(text).hosts();
    EXPECT_EQ(subjects_of(text, 1).hosts(), whole) << "in pieces";
    return whole;
}

TEST(MessageSubjects, HostsOfUris) {
    EXPECT_THAT(hosts_in("see http://A.example/x and <https://b.example:8080?y> or www.c.example.\n"),
                ElementsAre("a.example", "b.example", "www.c.example"));
    EXPECT_THAT(hosts_in("http://a.example\nhttps://user:secret@b.example/@c.example http://a.example/2"),
                ElementsAre("a.example", "b.example"));
    EXPECT_THAT(hosts_in("<a href=\"HTTP://x.example\">(http://y.example)"),
                ElementsAre("x.example", "y.example"));
    EXPECT_THAT(hosts_in("http://b\xc3\xbc"
                         "cher.example/"),
                ElementsAre("xn--bcher-kva.example"));
}

TEST(MessageSubjects, WhatIsNoHost) {
    EXPECT_THAT(
        hosts_in("http:// http://localhost/ http://192.0.2.1/ http://[::1]/ awww.c.example ftp://d.example "
                 "http://a_b.example http://.example http://a..example"),
        IsEmpty());
}

TEST(MessageSubjects, WhatIsEncoded) {
    EXPECT_THAT(hosts_in("--x\nContent-Transfer-Encoding: base64\nContent-Type: text/html\n\n"
                         "PGEgaHJlZj0iaHR0cDovL2hpZGRlbi5l\neGFtcGxlLyI+\n--x--\nhttp://behind.example/\n"),
                ElementsAre("hidden.example", "behind.example"));
    EXPECT_THAT(hosts_in("--x\nContent-Transfer-Encoding: "
                         "Quoted-Printable\n\nhttp=3A//hid=\nden.example/=20\nhttp://two.exa=\n"
                         "mple\n--x--\n"),
                ElementsAre("hidden.example", "two.example"));
    EXPECT_THAT(
        hosts_in("--x\nContent-Transfer-Encoding: base64\n\naHR0cDovL2hpZGRl\n--y\nbi5leGFtcGxlLw==\n"),
        IsEmpty())
        << "what no reader decodes either";
    EXPECT_THAT(hosts_in("-- \nhttp://a.example\n--y\nhttp://b.example\n"),
                ElementsAre("a.example", "b.example"));
    EXPECT_THAT(hosts_in("--x\nContent-Type: image/png\n\nhttp://picture.example/\n--x--\n"), IsEmpty());
}

TEST(MessageSubjects, AddressesOfTheAuthor) {
    const auto subjects = subjects_of(
        "From: Anna <Anna@Far.Example>,\n \"B\" <b@far.example>\nReply-To: drop@box.example\n"
        "To: c@far.example\n\n--x\nFrom: d@far.example\n\nx\n");
    EXPECT_THAT(subjects.addresses(), ElementsAre("anna@far.example", "b@far.example", "drop@box.example"));
}

TEST(MessageSubjects, ItIsBounded) {
    std::string body(head);
    for (int i = 0; i < 100; ++i) body += "http://h" + std::to_string(i) + ".example/\n";
    EXPECT_THAT(subjects_of(body).hosts(), SizeIs(MessageSubjects::most_hosts));
    EXPECT_THAT(
        subjects_of(std::string(head) + std::string(MessageSubjects::looked_at, 'x') + " http://a.example/")
            .hosts(),
        IsEmpty());
    EXPECT_THAT(subjects_of(std::string(head) + "http://" + std::string(100'000, 'a') + ".example/").hosts(),
                IsEmpty());
    std::string from = "From: a0@x.example";
    for (int i = 1; i < 100; ++i) from += ", a" + std::to_string(i) + "@x.example";
    EXPECT_THAT(subjects_of(from + "\n\n").addresses(), SizeIs(MessageSubjects::most_addresses));
}

TEST(MessageSubjects, NamesThatListsKnow) {
    EXPECT_THAT(names_of_hosts({"a.b.c.example", "c.example"}, 30),
                ElementsAre("c.example", "b.c.example", "a.b.c.example"));
    EXPECT_THAT(names_of_hosts({"a.b.c.example", "d.example"}, 2), SizeIs(2));
}

TEST(MessageSubjects, TheHashOfAnAddress) {
    EXPECT_EQ(address_hash("Test@Example.org"), address_hash("test@example.org"));
    EXPECT_EQ(address_hash("abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
}

}  // namespace
}  // namespace relais::policy
