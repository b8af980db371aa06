#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <filesystem>
#include <functional>

#include "base/event_loop.h"
#include "base/time.h"
#include "base/unix_socket.h"
#include "trace/client.h"
#include "trace/life.h"
#include "trace/protocol.h"
#include "trace/server.h"
#include "trace/teller.h"

namespace relais::trace {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::uint64_t second = 1'000'000;
constexpr std::uint64_t birth = 1'795'391'255'698'000;

struct TracePlace {
    TracePlace() {
        std::string name = testing::TempDir() + "traceXXXXXX";
        directory = ::mkdtemp(name.data());
    }
    ~TracePlace() { std::filesystem::remove_all(directory); }
    std::string directory;
};

Record event_of(std::uint64_t time, const std::string& kind,
                std::vector<std::pair<std::string, std::string>> fields) {
    return {time, kind, std::move(fields)};
}

TEST(TraceProtocol, AnEventThereAndBack) {
    const std::vector<std::string> recipients = {"a@b", std::string("c\0d", 3)};
    Event event("accept", "unused");
    event.with("msg", birth).with("sender", "").with("rcpt", Event::List(recipients));
    const auto records = decode(encode(event, 7) + encode(Event("end").with("msg", birth), 8));
    ASSERT_TRUE(records);
    ASSERT_EQ(records->size(), 2U);
    EXPECT_EQ((*records)[0].time, 7U);
    EXPECT_EQ((*records)[0].number("msg"), birth);
    EXPECT_EQ((*records)[0].fields.size(), 3U);
    EXPECT_EQ((*records)[0].fields[2].second, "c_d");
    EXPECT_EQ((*records)[1].kind, "end");
}

TEST(TraceProtocol, WhatIsWrongIsNothing) {
    const std::string good = encode(Event("end").with("msg", birth), 8);
    for (std::size_t size = 1; size < good.size(); ++size) EXPECT_FALSE(decode(good.substr(0, size))) << size;
    EXPECT_FALSE(decode(good + "x"));
    EXPECT_TRUE(decode("")->empty());
    const std::vector<std::string> many(500, std::string(2000, 'x'));
    EXPECT_LE(encode(Event("accept").with("rcpt", Event::List(many)), 1).size(), record_limit + 4);
}

TEST(TraceProtocol, OfWhatEachDoorMayTell) {
    EXPECT_TRUE(may_tell(Door::smtp, "refuse"));
    EXPECT_FALSE(may_tell(Door::smtp, "delivery"));
    EXPECT_FALSE(may_tell(Door::smtp, "end"));
    EXPECT_TRUE(may_tell(Door::send, "delivery"));
    EXPECT_FALSE(may_tell(Door::send, "accept"));
}

TEST(TraceStore, MessagesAndRefusalsAreFound) {
    TracePlace place;
    const std::string id = std::to_string(birth);
    {
        Store store(place.directory, {});
        store.add(event_of(birth, "accept",
                           {{"msg", id}, {"sender", "A@B.example"}, {"rcpt", "c@d"}, {"rcpt", "e@d"}}));
        store.add(event_of(birth, "end", {{"msg", id}}));  // at the same time, and kept all the same
        store.add(event_of(birth + second, "refuse",
                           {{"sender", "a@b.example"}, {"rcpt", "x@d"}, {"reply", "550 no"}}));
    }
    Archive archive(place.directory);
    EXPECT_THAT(archive.wrong(), ElementsAre());
    ASSERT_EQ(archive.events(birth).size(), 2U);
    EXPECT_EQ(archive.events(birth)[1].kind, "end");
    EXPECT_THAT(archive.find({.from = "a@b.example"}), ElementsAre(birth, birth + second));
    EXPECT_THAT(archive.find({.from = "@b.example"}), ElementsAre(birth, birth + second));
    EXPECT_THAT(archive.find({.to = "E@D"}), ElementsAre(birth));
    EXPECT_THAT(archive.find({.from = "a@b.example", .to = "x@d"}), ElementsAre(birth + second));
    EXPECT_THAT(archive.find({.since = birth + 1}), ElementsAre(birth + second));
    EXPECT_THAT(archive.find({.from = "a@b.example", .most = 1}), ElementsAre(birth + second));
    EXPECT_THAT(archive.find({.to = "nobody@d"}), ElementsAre());
}

TEST(TraceStore, WhatQmailSmtpdTellsComesFirst) {
    TracePlace place;
    const std::string id = std::to_string(birth);
    {
        Store store(place.directory, {});
        store.add(event_of(birth + 1, "new", {{"msg", id}}));
        store.add(event_of(birth + 2, "accept", {{"msg", id}, {"sender", "a@b"}, {"rcpt", "c@d"}}));
        store.add(event_of(birth + 3, "end", {{"msg", id}}));
    }
    const auto events = Archive(place.directory).events(birth);
    ASSERT_EQ(events.size(), 3U);
    EXPECT_EQ(events[0].kind, "accept");
    EXPECT_EQ(events[1].kind, "new");
    EXPECT_EQ(events[2].kind, "end");
}

TEST(TraceStore, AnAddressIsForgottenForGood) {
    TracePlace place;
    Store store(place.directory, {});
    store.add(event_of(birth, "accept",
                       {{"msg", std::to_string(birth)}, {"sender", "anna-with-a-name@b"}, {"rcpt", "c@d"}}));
    store.add(event_of(birth + 9, "accept",
                       {{"msg", std::to_string(birth + 9)}, {"sender", "other@b"}, {"rcpt", "c@d"}}));
    store.commit();
    Archive archive(place.directory);
    EXPECT_EQ(archive.forget("Anna-with-a-name@b"), 1U);
    EXPECT_EQ(archive.forget("Anna-with-a-name@b"), 0U);
    EXPECT_THAT(archive.find({.to = "c@d"}), ElementsAre(birth + 9));
    for (const auto& file : std::filesystem::directory_iterator(place.directory)) {
        std::string content(static_cast<std::size_t>(file.file_size()), '\0');
        std::unique_ptr<FILE, int (*)(FILE*)> open(std::fopen(file.path().c_str(), "rb"), &std::fclose);
        ASSERT_EQ(std::fread(content.data(), 1, content.size(), open.get()), content.size());
        EXPECT_EQ(content.find("anna-with"), std::string::npos) << file.path();
    }
}

TEST(TraceStore, TheOldestFilesMakeRoomAndRefusalsPushOutRefusalsAlone) {
    TracePlace place;
    Store store(place.directory, {.days = 3, .octets = 20'000'000});
    store.add(event_of(birth, "accept", {{"msg", std::to_string(birth)}, {"sender", "a@b"}}));
    const std::string text(900, 'x');
    for (std::uint64_t i = 1; i <= 12'000; ++i)
        store.add(event_of(birth + i, "refuse", {{"sender", "s@b"}, {"reply", text}, {"why", text}}));
    store.commit();
    std::uint64_t octets = 0;
    for (const std::string& path : files_of(place.directory, 'r')) octets += std::filesystem::file_size(path);
    EXPECT_LT(octets, 7'000'000U);
    EXPECT_EQ(Archive(place.directory).events(birth).size(), 1U);
    // Days later.
    for (std::uint64_t day = 1; day <= 6; ++day) {
        const std::uint64_t now = birth + day * 86'400 * second;
        store.add(event_of(now, "accept", {{"msg", std::to_string(now)}, {"sender", "a@b"}}));
    }
    store.commit();
    EXPECT_TRUE(Archive(place.directory).events(birth).empty());
    EXPECT_GE(Archive(place.directory).find({.from = "a@b"}).size(), 3U);
}

TEST(TraceStore, ADamagedFileIsLeftOutOrBegunAnew) {
    TracePlace place;
    const std::string path = place.directory + "/m-" + std::to_string(birth / second) + ".db";
    std::filesystem::copy_file("/etc/passwd", path);
    EXPECT_EQ(Archive(place.directory).wrong().size(), 1U);
    Store store(place.directory, {});
    store.add(event_of(birth, "end", {{"msg", std::to_string(birth)}}));
    store.commit();
    EXPECT_EQ(Archive(place.directory).events(birth).size(), 1U);
}

TEST(TraceStore, KeepTrace) {
    EXPECT_EQ(Limits::parse("14 1G")->octets, std::uint64_t{1} << 30);
    EXPECT_EQ(Limits::parse("7")->days, 7U);
    for (const char* wrong : {"", "x", "0 1G", "14 1", "14 x", "14  ", "-1 1G"})
        EXPECT_FALSE(Limits::parse(wrong)) << wrong;
}

TEST(TraceLife, Words) {
    EXPECT_EQ(
        line_of(event_of(birth, "accept",
                         {{"ip", "192.0.2.1"},
                          {"helo", "x"},
                          {"sender", ""},
                          {"rcpt", "a@b"},
                          {"rcpt", "\x1b[2J"},
                          {"bytes", "7"}})),
        "2026-11-22 23:47:35.698  accepted from 192.0.2.1, helo x, sender <>, for <a@b>, <_[2J>, 7 bytes");
    EXPECT_THAT(
        line_of(event_of(birth, "refuse",
                         {{"ip", "192.0.2.1"}, {"reply", "554 no"}, {"why", "listed"}, {"cause", "dnsbl"}})),
        HasSubstr("refused 192.0.2.1, sender <>, recipient <>: 554 no, because listed, check dnsbl"));
    EXPECT_THAT(line_of(event_of(birth, "delivery",
                                 {{"delivery", "4"},
                                  {"result", "success"},
                                  {"text", "ok\n"},
                                  {"server", "mx"},
                                  {"ip", "::1"},
                                  {"milliseconds", "1250"}})),
                HasSubstr("delivery 4: success: ok (server mx [::1], not encrypted) in 1.2 s"));
    EXPECT_EQ(line_of(event_of(birth, "new", {})), "");
}

TEST(TraceLife, Children) {
    EXPECT_THAT(children_of(event_of(1, "bounce", {{"qp", std::to_string(birth)}})), ElementsAre(birth));
    EXPECT_THAT(children_of(event_of(1, "delivery",
                                     {{"result", "success"}, {"text", "did 0+1+0\nqp 1795391255698000/"}})),
                ElementsAre(birth));
    EXPECT_THAT(children_of(event_of(1, "delivery", {{"result", "success"}, {"text", "qp 17 qp qp x"}})),
                ElementsAre());
}

TEST(TraceTeller, MessagesThatNameEachOtherAreToldOnce) {
    TracePlace place;
    const std::uint64_t other = birth + 7;
    const std::string ids[] = {std::to_string(birth), std::to_string(other)};
    {
        Store store(place.directory, {});
        store.add(event_of(birth + 1, "bounce", {{"msg", ids[0]}, {"qp", ids[1]}}));
        store.add(event_of(birth + 8, "bounce", {{"msg", ids[1]}, {"qp", ids[0]}}));
    }
    std::vector<std::string> lines;
    Teller teller({}, [&](const std::string& line) { lines.push_back(line); });
    Archive archive(place.directory);
    EXPECT_TRUE(teller.tell(archive, birth));
    EXPECT_THAT(lines, ElementsAre("message " + ids[0], HasSubstr(ids[1]), "    message " + ids[1],
                                   HasSubstr(ids[0])));
    lines.clear();
    EXPECT_TRUE(teller.tell(archive, birth));
    EXPECT_FALSE(teller.tell(archive, birth + 1));
    EXPECT_TRUE(lines.empty());
    Teller json({.json = true}, [&](const std::string& line) { lines.push_back(line); });
    EXPECT_TRUE(json.tell(archive, other));
    EXPECT_THAT(lines, ElementsAre(HasSubstr("\"depth\":0"), HasSubstr("\"depth\":1")));
    lines.clear();
    Teller evidence({.evidence_alone = true}, [&](const std::string& line) { lines.push_back(line); });
    EXPECT_TRUE(evidence.tell(archive, birth));
    EXPECT_TRUE(lines.empty());
}

TEST(TraceLife, Since) {
    EXPECT_EQ(parse_since("90m", birth), birth - 5400 * second);
    EXPECT_EQ(parse_since("today", birth), birth / (86'400 * second) * (86'400 * second));
    EXPECT_EQ(parse_since("2026-11-22", birth), parse_since("today", birth));
    EXPECT_EQ(parse_since("2026-11-22T01:00", birth), *parse_since("today", birth) + 3600 * second);
    for (const char* wrong : {"", "x", "m", "1y", "2026-13-01", "2026-11-22x"})
        EXPECT_FALSE(parse_since(wrong, birth)) << wrong;
}

// The server with both of its doors, as long as the condition does not hold.
struct Doors {
    explicit Doors(const std::string& directory)
        : smtp(listen_packets(directory + "/smtp", 0600)), send(listen_packets(directory + "/send", 0600)) {}
    void run_until(Store& store, std::size_t clients, const std::function<bool()>& condition) const {
        EventLoop loop;
        const Server server(loop, {smtp.get(), send.get()}, store, clients);
        const Deadline deadline = Deadline::in(Seconds(20));
        const std::function<void()> look = [&] {
            if (condition() || deadline.passed()) return loop.stop();
            loop.after(std::chrono::milliseconds(5), look);
        };
        look();
        loop.run();
    }
    Fd smtp;
    Fd send;
};

Fd told(const std::string& path, const std::string& packet) {
    Fd fd = connect_packets(path, Deadline::in(Seconds(5)));
    EXPECT_TRUE(send_packet(fd.get(), packet));
    return fd;
}

// A file of a day to come would make all others too old.
TEST(TraceServer, ATimeToComeRemovesNothing) {
    TracePlace place;
    const std::uint64_t now = now_microseconds();
    const std::string id = std::to_string(now);
    Store store(place.directory, {.days = 3});
    store.add(event_of(now - second, "accept", {{"msg", id}, {"sender", "a@b"}, {"rcpt", "c@d"}}));
    store.commit();
    const Doors doors(place.directory);
    const Fd liar = told(place.directory + "/smtp",
                         encode(event_of(now + 365 * 86'400 * second, "refuse", {{"reply", "550 no"}})));
    const auto refused = [&] { return files_of(place.directory, 'r').size() == 1; };
    doors.run_until(store, 100, refused);
    const Fd honest = told(place.directory + "/send", encode(event_of(now, "end", {{"msg", id}})));
    doors.run_until(store, 100, [&] { return Archive(place.directory).events(now).size() == 2; });
    EXPECT_EQ(files_of(place.directory, 'm').size(), 1U);
    EXPECT_EQ(Archive(place.directory).events(now).size(), 2U);
    EXPECT_EQ(Archive(place.directory).find({.from = "a@b"}).size(), 1U);
}

TEST(TraceServer, ManyAtOneDoorLeaveTheOtherOpen) {
    TracePlace place;
    Store store(place.directory, {});
    const Doors doors(place.directory);
    std::vector<Fd> crowd;
    const std::uint64_t now = now_microseconds();
    for (int i = 0; i < 12; ++i)
        crowd.push_back(told(place.directory + "/smtp", encode(event_of(now, "refuse", {{"reply", "no"}}))));
    const std::uint64_t id = now - second;
    const Fd sender =
        told(place.directory + "/send", encode(event_of(now, "end", {{"msg", std::to_string(id)}})));
    const auto known = [&] { return Archive(place.directory).events(id).size() == 1; };
    doors.run_until(store, 8, known);
    EXPECT_TRUE(known());
}

TEST(TraceClient, NobodyThereCostsNoTimeAndIsCounted) {
    TracePlace place;
    std::filesystem::create_directory(place.directory + "/sockets");
    std::size_t lost = 0;
    Client client(control::Home(place.directory), "trace-send",
                  [&](std::size_t records) { lost += records; });
    for (int i = 0; i < 3; ++i) {
        client.put(Event("end").with("msg", birth));
        client.flush();
    }
    EXPECT_EQ(lost, 3U);
}

TEST(TraceClient, AFullSocketLosesAndGoesOn) {
    TracePlace place;
    std::filesystem::create_directory(place.directory + "/sockets");
    const Fd listening = listen_packets(place.directory + "/sockets/trace-send", 0600);
    std::size_t lost = 0;
    Client client(control::Home(place.directory), "trace-send",
                  [&](std::size_t records) { lost += records; });
    const std::string text(900, 'x');
    for (int i = 0; i < 5000; ++i) client.put(Event("wait").with("msg", birth).with("text", text));
    client.flush();
    EXPECT_GT(lost, 0U);
    EXPECT_LT(lost, 5000U);
    // Whoever reads gets what was not lost.
    const Fd connection(::accept4(listening.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    PacketReader packets(packet_limit, 16);
    std::size_t seen = 0;
    for (auto some = packets.read_now(connection.get()); !some.empty();
         some = packets.read_now(connection.get()))
        for (const auto& packet : some) seen += decode(packet.data)->size();
    EXPECT_EQ(seen + lost, 5000U);
    const std::size_t before = lost;
    client.put(Event("end").with("msg", birth));
    client.flush();
    EXPECT_EQ(lost, before);
}

}  // namespace
}  // namespace relais::trace
