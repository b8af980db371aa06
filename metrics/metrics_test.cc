#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <set>

#include "base/event_loop.h"
#include "base/text.h"
#include "base/unix_socket.h"
#include "metrics/count.h"
#include "metrics/page.h"
#include "metrics/server.h"
#include "metrics/text.h"
#include "policy/chain.h"

namespace relais::metrics {
namespace {

using control::Role;
using testing::HasSubstr;

struct MetricsHome {
    MetricsHome() {
        std::string name = testing::TempDir() + "metricsXXXXXX";
        directory = ::mkdtemp(name.data());
        for (const Role role : counting_roles())
            std::filesystem::create_directories(std::filesystem::path(page_path(home(), role)).parent_path());
    }
    ~MetricsHome() { std::filesystem::remove_all(directory); }
    control::Home home() const { return control::Home(directory); }
    std::string directory;
};

// What a process that counts leaves; its exit code.
template <class Work>
int in_a_process(const Work& work) {
    const pid_t child = ::fork();
    if (child == 0) {
        work();
        ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return status;
}

TEST(MetricsTable, RowsFitTheirPageAndNoneLiesOnAnother) {
    std::map<Role, std::set<std::size_t>> taken;
    std::set<std::string_view> keys, names;
    std::string_view last;
    for (const Metric& metric : table) {
        EXPECT_TRUE(keys.insert(metric.key).second) << metric.key;
        for (std::size_t i = 0; i < metric.slots; ++i)
            EXPECT_TRUE(taken[metric.role].insert(metric.slot + i).second) << metric.key;
        EXPECT_LE(metric.slot + metric.slots, page_slots) << metric.key;
        EXPECT_LE(metric.kind == Kind::histogram ? metric.bounds.size() + 2 : count_of_values(metric),
                  metric.slots)
            << metric.key;
        EXPECT_TRUE(std::is_sorted(metric.bounds.begin(), metric.bounds.end()));
        // Those of one name stand together, and say the same.
        EXPECT_TRUE(metric.name == last || names.insert(metric.name).second) << metric.name;
        last = metric.name;
    }
}

TEST(MetricsTable, NamesAreAsPrometheusWantsThem) {
    for (const Metric& metric : table) {
        EXPECT_TRUE(metric.name.starts_with("relais_")) << metric.name;
        EXPECT_EQ(metric.name.ends_with("_total"), metric.kind == Kind::counter) << metric.name;
        EXPECT_EQ(metric.unit == Unit::octets, metric.name.find("_bytes") != std::string_view::npos)
            << metric.name;
        EXPECT_TRUE(metric.unit != Unit::milliseconds || metric.name.ends_with("_seconds")) << metric.name;
        EXPECT_FALSE(metric.help.ends_with('.')) << metric.help;
    }
}

TEST(MetricsTable, EveryCheckOfTheChainIsACause) {
    const Metric& refused = rows::table[detail::row_of("smtp.refused", Kind::counter)];
    for (const policy::Check& check : policy::checks())
        EXPECT_NE(slot_of_value(refused, check.name), slot_of_value(refused, other_value)) << check.name;
}

TEST(MetricsPage, ProcessesAddToOnePageAndDeathLosesNothing) {
    MetricsHome place;
    for (int i = 0; i < 3; ++i) {
        const int status = in_a_process([&] {
            open_page(place.home(), Role::qmaild);
            count("smtp.messages", "submission");
            count("smtp.refused", "dnsbl", 2);
            count("smtp.refused", "of the next release");
            count("send.new");  // of another page
            observe("smtp.size", 3000);
            ::raise(SIGKILL);
        });
        EXPECT_TRUE(WIFSIGNALED(status));
    }
    const std::string text = show(read_pages(place.home()), Form::prometheus);
    EXPECT_THAT(text, HasSubstr("# HELP relais_smtp_messages_total Messages accepted from clients.\n"
                                "# TYPE relais_smtp_messages_total counter\n"
                                "relais_smtp_messages_total{service=\"smtp\"} 0\n"
                                "relais_smtp_messages_total{service=\"submission\"} 3\n"));
    EXPECT_THAT(text, HasSubstr("relais_smtp_refused_total{cause=\"dnsbl\"} 6\n"));
    EXPECT_THAT(text, HasSubstr("relais_smtp_refused_total{cause=\"other\"} 3\n"));
    EXPECT_THAT(text, HasSubstr("relais_smtp_message_bytes_bucket{le=\"1024\"} 0\n"
                                "relais_smtp_message_bytes_bucket{le=\"4096\"} 3\n"));
    EXPECT_THAT(text, HasSubstr("relais_smtp_message_bytes_sum 9000\nrelais_smtp_message_bytes_count 3\n"));
    EXPECT_THAT(text, testing::Not(HasSubstr("relais_messages_new_total")));
}

TEST(MetricsPage, WhereThereIsNoneCountingCostsNothingAndDoesNothing) {
    EXPECT_EQ(in_a_process([] {
                  open_page(control::Home("/nowhere"), Role::qmaild);
                  count("smtp.messages", "smtp");
                  set("send.looked", 1);
              }),
              0);
}

TEST(MetricsPage, ADiskThatLosesThePageEndsNobody) {
    MetricsHome place;
    const std::string path = page_path(place.home(), Role::qmails);
    EXPECT_EQ(in_a_process([&] {
                  open_page(place.home(), Role::qmails);
                  count("send.new");
                  if (::truncate(path.c_str(), 0) != 0) ::_exit(1);
                  count("send.new");
                  count("send.ended");
              }),
              0);
    // Any other one is as deadly as ever.
    const int status = in_a_process([&] {
        open_page(place.home(), Role::qmails);
        ::raise(SIGBUS);
        ::raise(SIGBUS);
    });
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
}

TEST(MetricsPage, WhatARoleWroteIsNotBelieved) {
    MetricsHome place;
    const std::string path = page_path(place.home(), Role::qmaild);
    {
        Page page{};
        page.fill(~std::uint64_t{0});
        page[0] = 7;
        const Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT, 0600));
        ASSERT_EQ(::write(fd.get(), page.data(), page_size), static_cast<ssize_t>(page_size));
    }
    const Pages pages = read_pages(place.home());
    EXPECT_EQ(pages.at(Role::qmaild)[0], 7U);
    EXPECT_EQ(pages.at(Role::qmaild)[1], 0U);
    std::filesystem::remove(path);
    std::filesystem::create_symlink("/etc/passwd", path);
    std::filesystem::create_directory(page_path(place.home(), Role::qmails));
    std::vector<std::string> wrong;
    EXPECT_TRUE(read_pages(place.home(), &wrong).empty());
    EXPECT_EQ(wrong.size(), 2U);
}

TEST(MetricsText, OpenMetricsHasItsOwnHeadsAndAnEnd) {
    Pages pages;
    pages[Role::qmails][20] = 5;          // below 10 ms
    pages[Role::qmails][20 + 11] = 1234;  // milliseconds
    const std::string text = show(pages, Form::openmetrics);
    EXPECT_THAT(text, HasSubstr("# TYPE relais_messages_new counter\nrelais_messages_new_total 0\n"));
    EXPECT_THAT(text, HasSubstr("relais_delivery_seconds_bucket{channel=\"local\",le=\"0.01\"} 5\n"));
    EXPECT_THAT(text, HasSubstr("relais_delivery_seconds_sum{channel=\"local\"} 1.234\n"));
    EXPECT_TRUE(text.ends_with("# EOF\n"));
}

// It is answered, and what it says beyond that is not read for ever.
TEST(MetricsServer, WhoeverGoesOnTalkingHoldsUpNobody) {
    MetricsHome place;
    const std::string path = place.directory + "/metrics.sock";
    const Fd listening = listen_unix(path, 0600, static_cast<uid_t>(-1), static_cast<gid_t>(-1));
    const Fd client = connect_unix(path, Deadline::in(Seconds(5)));
    std::string said = "GET /metrics HTTP/1.1\r\n\r\n";
    std::size_t more = 0;
    for (ssize_t count = 1; count > 0; more += static_cast<std::size_t>(std::max<ssize_t>(count, 0))) {
        count = ::send(client.get(), said.data(), said.size(), MSG_DONTWAIT);
        said = std::string(8192, 'x');
    }
    ASSERT_GT(more, std::size_t{140'000}) << "the system's buffers are too small for this test";
    EventLoop loop;
    const Server server(loop, {listening.get()}, place.home());
    std::string answer;
    int error = 0;
    loop.add(client.get(), EPOLLIN, [&](std::uint32_t) {
        std::array<char, 65536> buffer;
        const ssize_t count = ::recv(client.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
        if (count > 0) return void(answer.append(buffer.data(), static_cast<std::size_t>(count)));
        error = count < 0 ? errno : 0;
        if (count == 0 || errno != EAGAIN) loop.stop();
    });
    loop.after(Seconds(30), [&] { loop.stop(); });
    loop.run();
    EXPECT_THAT(answer, testing::StartsWith("HTTP/1.1 200 OK"));
    EXPECT_EQ(error, ECONNRESET);  // all would have been taken
}

TEST(MetricsRequest, TheBetterFormIsTaken) {
    EXPECT_EQ(form_of(http::parse_request("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")), Form::prometheus);
    EXPECT_EQ(form_of(http::parse_request(
                  "GET / HTTP/1.0\nACCEPT: application/openmetrics-text;version=1.0.0\n\n")),
              Form::openmetrics);
}

}  // namespace
}  // namespace relais::metrics
