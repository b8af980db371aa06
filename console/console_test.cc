#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "console/accounts.h"
#include "console/front.h"
#include "console/helper.h"
#include "console/pages.h"
#include "console/sessions.h"
#include "queue/select.h"

namespace relais::console {
namespace {

using testing::HasSubstr;
using testing::Not;

struct ConsoleHome {
    ConsoleHome() {
        std::string name = testing::TempDir() + "consoleXXXXXX";
        directory = ::mkdtemp(name.data());
        std::filesystem::create_directories(directory + "/users");
    }
    ~ConsoleHome() { std::filesystem::remove_all(directory); }
    control::Home home() const { return control::Home(directory); }
    std::string directory;
};

TEST(ConsoleProtocol, WhatWasAskedIsUnderstood) {
    Question question{7, Verb::act, "key", true, "token", "192.0.2.7", {"hold", "17"}};
    std::string octets = encode(question) + "rest";
    bool broken = false;
    const auto fields = take_frame(octets, question_limit, broken);
    ASSERT_TRUE(fields);
    EXPECT_EQ(octets, "rest");
    const auto seen = decode_question(*fields);
    ASSERT_TRUE(seen);
    EXPECT_EQ(seen->arguments, question.arguments);
    EXPECT_TRUE(seen->live);
    EXPECT_EQ(seen->client, "192.0.2.7");
    EXPECT_EQ(fault_of(*seen), "");

    Answer answer{9, Status::refused, "anna", Role::operating, "t", {{"why", "no"}, {}}};
    octets = encode(answer);
    const auto back = decode_answer(*take_frame(octets, frame_limit, broken));
    ASSERT_TRUE(back);
    EXPECT_EQ(back->rows, answer.rows);
    EXPECT_EQ(back->status, Status::refused);
}

TEST(ConsoleProtocol, WhatIsTooLongOrOddIsBroken) {
    bool broken = false;
    std::string octets =
        "\xff\xff\xff\x7f"
        "abc";
    EXPECT_FALSE(take_frame(octets, question_limit, broken));
    EXPECT_TRUE(broken);
    octets = std::string("\x05\0\0\0\xff\0\0\0x", 9);
    EXPECT_FALSE(take_frame(octets, question_limit, broken));
    EXPECT_TRUE(broken);
    EXPECT_FALSE(decode_question({"1", "nonsense", "", "", ""}));
    EXPECT_FALSE(decode_question({"1", "act", "", "", "", "hold"}));
    EXPECT_FALSE(decode_question({"x", "doctor", "", "", ""}));
}

TEST(ConsoleProtocol, NothingOddReachesAnArgument) {
    const auto fault = [](Verb verb, Fields arguments) {
        return fault_of({1, verb, "", false, "", "", std::move(arguments)});
    };
    EXPECT_EQ(fault(Verb::relay, {"192.0.2.1", "a@b", "c@d"}), "");
    EXPECT_EQ(fault(Verb::route, {"anna@example.org"}), "");
    for (const char* wrong : {"--audit", "-x", "1.2.3", "host.example", ""})
        EXPECT_NE(fault(Verb::relay, {wrong, "", ""}), "") << wrong;
    for (const char* wrong : {"--watch", "", "a\nb", "a\x7f"})
        EXPECT_NE(fault(Verb::route, {wrong}), "") << wrong;
    EXPECT_NE(fault(Verb::route, {std::string(500, 'a')}), "");
    for (const char* wrong : {"", "x", "../1", "-1", "99999999999999999999"})
        EXPECT_NE(fault(Verb::message, {wrong}), "") << wrong;
    EXPECT_NE(fault(Verb::act, {"flush", "1"}), "");
    EXPECT_NE(fault(Verb::queue, {"", "", "nowhere", "", ""}), "");
}

TEST(ConsoleProtocol, EachStateOfAMessageMayBeAskedFor) {
    for (const char* state : {"later", "held", "new", ""})
        EXPECT_EQ(fault_of({1, Verb::queue, "", false, "", "", {"", "", state, "", ""}}), "") << state;
    for (const std::string_view state : queue_states)
        EXPECT_TRUE(state.empty() || queue::is_state_name(state)) << state;
}

TEST(ConsoleProtocol, TheToolsAreFew) {
    for (const VerbRow& row : verbs) {
        Question question;
        question.verb = row.verb;
        question.arguments = Fields(std::max<std::size_t>(row.least, 1), "x");
        const Fields tool = tool_of(question);
        if (!tool.empty()) {
            EXPECT_THAT(tool[0], testing::AnyOf("qmailctl", "qmail-showctl", "route-explain", "relay-explain",
                                                "open-smtp", "qmail-counts", "queue-list"));
        }
        // Whatever changes something needs the role and the form's token; whatever shows something,
        // a session.
        EXPECT_TRUE(row.session || row.verb == Verb::login || row.verb == Verb::once);
    }
    EXPECT_TRUE(row_of(Verb::act).operating);
    EXPECT_TRUE(row_of(Verb::person).operating);
}

TEST(ConsoleProtocol, WhatIsDoneAboutPeopleNamesOneOfThem) {
    const auto asked = [](const std::string& act, const std::string& whom) {
        Question question;
        question.verb = Verb::person;
        question.arguments = {act, whom};
        return std::pair(fault_of(question), tool_of(question));
    };
    EXPECT_EQ(asked("close", "192.0.2.7"),
              std::pair(std::string(), Fields{"open-smtp", "remove", "192.0.2.7"}));
    EXPECT_EQ(asked("close", "2001:db8:0:1::/64"),
              std::pair(std::string(), Fields{"open-smtp", "remove", "2001:db8:0:1::"}));
    EXPECT_EQ(asked("let", "anna@x").second, (Fields{"qmail-counts", "--release=anna@x"}));
    EXPECT_EQ(asked("hold", "anna@x").second, (Fields{"queue-list", "hold", "--login=anna@x"}));
    for (const auto& [act, whom] : {std::pair{"close", "192.0.2.0/24"}, std::pair{"close", "192.0.2.7/64"},
                                    std::pair{"close", "--user"}, std::pair{"close", ""},
                                    std::pair{"hold", "*"}, std::pair{"hold", "ann?"}, std::pair{"let", ""},
                                    std::pair{"let", "a\nb"}, std::pair{"let", "-a"}, std::pair{"", "anna"}})
        EXPECT_NE(asked(act, whom).first, "") << act << " " << whom;
}

TEST(ConsoleSessions, EndWhenNobodyUsesThem) {
    Sessions sessions({2, Seconds(10), Seconds(100)});
    auto now = Clock::now();
    const std::string key = sessions.open("anna", "", "", Role::reader, now);
    EXPECT_EQ(key.size(), 32U);
    EXPECT_EQ(sessions.find("", false, now), nullptr);
    ASSERT_NE(sessions.find(key, false, now + Seconds(9)), nullptr);
    // A page that renews itself is no use.
    EXPECT_NE(sessions.find(key, true, now + Seconds(18)), nullptr);
    EXPECT_EQ(sessions.find(key, true, now + Seconds(20)), nullptr);
    const std::string one = sessions.open("a", "", "", Role::reader, now);
    const std::string two = sessions.open("b", "", "", Role::reader, now + Seconds(1));
    sessions.open("c", "", "", Role::reader, now + Seconds(2));
    EXPECT_EQ(sessions.find(one, false, now + Seconds(2)), nullptr);
    for (int i = 0; i < 12; ++i) (void)sessions.find(two, false, now + Seconds(9 * i + 1));
    EXPECT_EQ(sessions.find(two, false, now + Seconds(102)), nullptr);
}

TEST(ConsoleSessions, AllOfOneNameEnd) {
    Sessions sessions;
    const auto now = Clock::now();
    const std::string one = sessions.open("once", "", "", Role::reader, now);
    const std::string two = sessions.open("once", "", "", Role::reader, now);
    const std::string other = sessions.open("anna", "", "", Role::reader, now);
    sessions.close_all("once");
    EXPECT_EQ(sessions.find(one, false, now), nullptr);
    EXPECT_EQ(sessions.find(two, false, now), nullptr);
    EXPECT_NE(sessions.find(other, false, now), nullptr);
}

TEST(ConsoleAccounts, SessionsAreEndedByName) {
    const ConsoleHome place;
    const std::string anna = ending_of(place.home(), "anna"), once = ending_of(place.home(), once_name);
    EXPECT_EQ(anna, "");
    end_sessions(place.home(), "once");
    EXPECT_EQ(ending_of(place.home(), "anna"), anna);
    const std::string second = ending_of(place.home(), once_name);
    EXPECT_NE(second, once);
    end_sessions(place.home(), "once");
    EXPECT_NE(ending_of(place.home(), once_name), second);
    end_sessions(place.home(), "");
    EXPECT_NE(ending_of(place.home(), "anna"), anna);
}

http::Request asked(std::string_view octets) {
    return http::parse_request(octets);
}

TEST(ConsoleFront, AProxyIsBelievedWhereAWordSaysSo) {
    FrontSettings settings{{"localhost"}};
    EXPECT_EQ(add_host(settings, "old.example.org"), "");
    EXPECT_EQ(add_host(settings, " Mail.example.org\tforwarded "), "");
    EXPECT_EQ(add_host(settings, ""), "");
    EXPECT_THAT(add_host(settings, "x.example.org forwarded-for"),
                HasSubstr("behind x.example.org is not known"));
    EXPECT_EQ(settings.hosts,
              (std::set<std::string>{"localhost", "mail.example.org", "old.example.org", "x.example.org"}));
    const auto client = [&](std::string_view peer, const std::string& header) {
        return client_of(settings, peer, asked("GET / HTTP/1.1\r\n" + header + "\r\n"));
    };
    // A proxy that was set up before hands on what the browser says.
    for (const char* host : {"localhost", "old.example.org", "x.example.org"})
        for (const char* peer : {"127.0.0.1", "uid 0"})
            EXPECT_EQ(client(peer, "Host: " + std::string(host) + "\r\nX-Forwarded-For: 192.0.2.1\r\n"), peer)
                << host;
    const std::string named = "Host: MAIL.example.org\r\nX-Forwarded-For: ";
    EXPECT_EQ(client("uid 0", named + "192.0.2.1\r\n"), "192.0.2.1");
    EXPECT_EQ(client("127.0.0.1", named + "192.0.2.1\r\nX-Forwarded-For: 192.0.2.2, 2001:DB8::1\r\n"),
              "2001:db8::1");
    for (const char* wrong : {"", "x", "192.0.2.1, ", "192.0.2.1:80"})
        EXPECT_EQ(client("127.0.0.1", named + wrong + "\r\n"), "127.0.0.1") << wrong;
}

TEST(ConsoleAccounts, AreLinesOfOneForm) {
    std::vector<std::size_t> wrong;
    const auto all = parse_operators(
        "# who\nanna:operator:$x$\nberta:read-only:$y$\nanna\nx:root:h\n:operator:h\n", &wrong);
    ASSERT_EQ(all.size(), 2U);
    EXPECT_EQ(all[1].role, Role::reader);
    EXPECT_EQ(wrong, (std::vector<std::size_t>{4, 5, 6}));
    for (const char* name : {"", "-a", "a:b", "a b", "<a>"}) EXPECT_FALSE(is_operator_name(name)) << name;
}

TEST(ConsoleAccounts, AreKeptAndTakenOut) {
    const ConsoleHome place;
    set_operator(place.home(), {"anna", Role::operating, "h1"});
    set_operator(place.home(), {"berta", Role::reader, "h2"});
    set_operator(place.home(), {"anna", Role::reader, "h3"});
    ASSERT_EQ(read_operators(place.home()).size(), 2U);
    EXPECT_EQ(read_operators(place.home())[1].hash, "h3");
    EXPECT_TRUE(remove_operator(place.home(), "anna"));
    EXPECT_FALSE(remove_operator(place.home(), "anna"));
    struct stat info {};
    ASSERT_EQ(::stat((place.directory + "/users/operators").c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600U);
}

TEST(ConsoleAccounts, ALoginForOnceIsOne) {
    const ConsoleHome place;
    EXPECT_FALSE(take_once(place.home(), "x"));
    const std::string first = make_once(place.home(), Role::operating);
    const std::string second = make_once(place.home(), Role::reader);
    EXPECT_FALSE(take_once(place.home(), first));
    EXPECT_EQ(take_once(place.home(), second), Role::reader);
    EXPECT_FALSE(take_once(place.home(), second));
}

TEST(ConsoleHtml, NothingFromOutsideIsMarkup) {
    EXPECT_EQ(escape("<script>\"'&\x1b[2J\xff"), "&lt;script&gt;&quot;&#39;&amp;_[2J_");
    Answer found;
    found.status = Status::done;
    found.name = "anna";
    found.role = Role::operating;
    const std::string evil = "<script>alert(1)</script>\" onmouseover=\"x";
    found.rows = {{"total", "1", ""},
                  {"group", evil, evil, "1", "1", "1", "0", "0"},
                  {"message", evil, "1", "1", evil, evil, "0", evil, evil, "1", evil},
                  {"hit", evil, "1", "1", evil, evil, evil, "1"},
                  {"cause", evil, evil},
                  {"client", evil, evil},
                  {"refusal", evil, "1", evil, evil, evil, evil, evil, evil, evil},
                  {"person", evil, evil, evil, "1", evil, "1"},
                  {"destination", evil, evil, evil, evil, "1", "1", evil},
                  {"now", evil, evil, evil, evil, "1", "99999999999999", evil},
                  {"done", evil, evil}};
    const http::Form query = {{"destination", evil}, {"client", evil}, {"address", evil}, {"sender", evil}};
    for (const std::string& text :
         {queue_body(found, query), confirm_body(found, "delete"), result_body(found, "hold"),
          people_body(found, found, found), destinations_body(found, found), refusals_body(found, query),
          message_body(evil, found, found), who_body(query, &found), login_body(evil, evil)}) {
        EXPECT_THAT(text, Not(HasSubstr("<script")));
        EXPECT_THAT(text, Not(HasSubstr("\" onmouseover")));
    }
}

TEST(ConsoleHtml, WhoMayOnlyLookSeesNoButtons) {
    Answer found{
        1,      Status::done,
        "anna", Role::reader,
        "t",    {{"total", "1", ""}, {"message", "17", "1", "1", "held", "0", "0", "a@b", "c@d", "0", "w"}}};
    EXPECT_THAT(queue_body(found, {}), Not(HasSubstr("/queue/act")));
    found.role = Role::operating;
    EXPECT_THAT(queue_body(found, {}), HasSubstr("/queue/act"));
}

TEST(ConsoleFront, AnOriginIsOurs) {
    EXPECT_TRUE(is_own_origin("http://mail.example.org:8025", "mail.example.org:8025"));
    EXPECT_TRUE(is_own_origin("https://Mail.example.org", "mail.example.org"));
    for (const char* origin : {"", "null", "http://evil.example", "http://mail.example.org.evil.example",
                               "http://mail.example.org:80", "file://mail.example.org"})
        EXPECT_FALSE(is_own_origin(origin, "mail.example.org")) << origin;
}

}  // namespace
}  // namespace relais::console
