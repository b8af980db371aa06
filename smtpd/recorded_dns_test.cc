#include "smtpd/recorded_dns.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "authres/zone.h"

namespace relais::smtpd {
namespace {

using net::RecordType;

TEST(RecordedDns, KeepsWhatWasSaidOnceAndBounded) {
    authres::ZoneDns zone(authres::Zone::parse(
        "$TTL 300\na.example. A 192.0.2.1\na.example. A 192.0.2.2\nb.example. MX 10 a.example.\n"
        "odd.example. TXT \"\\027[2J\"\nlong.example. TXT \"" +
            std::string(5000, 'x') + "\"\nsilent.example. SERVFAIL\n",
        "zone"));
    RecordedDns dns(zone);
    const Deadline deadline = Deadline::in(Seconds(5));
    EXPECT_EQ(dns.ask(RecordType::a, "a.example", deadline).records.size(), 2U);
    dns.ask(RecordType::a, "a.example", deadline);
    const std::vector<std::vector<net::DnsQuestion>> groups{{{RecordType::mx, "b.example"}},
                                                            {{RecordType::txt, "odd.example"}}};
    EXPECT_EQ(dns.ask_apart(groups, deadline).size(), 2U);
    dns.ask(RecordType::a, "none.example", deadline);
    dns.ask(RecordType::mx, "a.example", deadline);
    dns.ask(RecordType::a, "silent.example", deadline);
    EXPECT_THAT(dns.said(),
                testing::ElementsAre("A a.example: 192.0.2.1 | 192.0.2.2 (300 s)",
                                     "MX b.example: 10 a.example (300 s)", "TXT odd.example: _[2J (300 s)",
                                     "A none.example: no such name", "MX a.example: no such record",
                                     "A silent.example: no answer"));
    dns.ask(RecordType::txt, "long.example", deadline);
    EXPECT_LT(dns.said().back().size(), RecordedDns::longest_text + 20);
    for (int i = 0; i < 100; ++i) dns.ask(RecordType::a, "n" + std::to_string(i) + ".example", deadline);
    EXPECT_EQ(dns.said().size(), RecordedDns::most_answers);
    dns.forget();
    EXPECT_TRUE(dns.said().empty());
}

}  // namespace
}  // namespace relais::smtpd
