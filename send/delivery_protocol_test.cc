#include "send/delivery_protocol.h"

#include <gtest/gtest.h>

namespace relais::send {
namespace {

RemoteOrder some_remote_order() {
    return {7,
            1234567890123456,
            99,
            "example.org",
            "list-joe=example.org@example.net",
            {"joe@example.org", "ann@example.org"},
            12,
            {3, 70000}};
}

UnderWay some_delivery() {
    return {7, 1234567890123456, 1796009680, Channel::local, "joe-ext@example.org", {3}};
}

TEST(DeliveryProtocol, LocalOrderRoundTrip) {
    const LocalOrder order{1, 2, 3, "", "joe-ext@example.org", 70000, std::string("ret full\0\0", 10)};
    const auto back = decode_local_order(encode(order));
    ASSERT_TRUE(back);
    EXPECT_EQ(back->delivery, 1U);
    EXPECT_EQ(back->message, 2U);
    EXPECT_EQ(back->message_size, 3U);
    EXPECT_EQ(back->sender, "");
    EXPECT_EQ(back->recipient, "joe-ext@example.org");
    EXPECT_EQ(back->index, 70000U);
    EXPECT_EQ(back->extension, order.extension);
}

TEST(DeliveryProtocol, LocalOrderHasOneFormOnly) {
    const std::string packet = encode(LocalOrder{1, 2, 3, "a", "b"});
    EXPECT_FALSE(decode_local_order(packet.substr(1)));
    EXPECT_FALSE(decode_local_order(packet.substr(0, packet.size() - 1)));
    EXPECT_FALSE(decode_local_order(packet + "x"));
    std::string not_ended = packet;
    not_ended.replace(packet.size() - 4 - address_field, address_field, std::string(address_field, 'a'));
    EXPECT_FALSE(decode_local_order(not_ended));
    std::string garbage_behind = packet;
    garbage_behind.back() = 'x';
    EXPECT_FALSE(decode_local_order(garbage_behind));
}

TEST(DeliveryProtocol, RemoteOrderRoundTrip) {
    const auto back = decode_remote_order(encode(some_remote_order()));
    ASSERT_TRUE(back);
    EXPECT_EQ(back->host, "example.org");
    EXPECT_EQ(back->sender, "list-joe=example.org@example.net");
    EXPECT_EQ(back->recipients, some_remote_order().recipients);
    EXPECT_EQ(back->connection_messages, 12U);
    EXPECT_EQ(back->indices, some_remote_order().indices);
}

TEST(DeliveryProtocol, ARemoteOrderSaysWhatTheEnvelopeSays) {
    RemoteOrder order = some_remote_order();
    order.options.ret = mail::Ret::headers;
    order.options.submitter = {mail::Submitter::Kind::login, "ann@example.net", {"@example.net"}};
    order.recipient_options.resize(2);
    order.recipient_options[1].notify.never = true;
    const auto back = decode_remote_order(encode(order));
    ASSERT_TRUE(back);
    EXPECT_EQ(back->options, order.options);
    EXPECT_EQ(back->recipient_options, order.recipient_options);
    EXPECT_FALSE(decode_remote_order(encode(order) + "x"));
}

TEST(DeliveryProtocol, TheLargestOrderFitsAPacket) {
    RemoteOrder order = some_remote_order();
    order.recipients.assign(order_option_limit, std::string(address_field - 1, 'a'));
    order.indices.assign(order_option_limit, 1);
    mail::RecipientOptions options{*mail::parse_notify("success,failure,delay"),
                                   "rfc822;" + std::string(mail::orcpt_limit - 7, 'a')};
    order.recipient_options.assign(order_option_limit, options);
    order.options.envid = std::string(mail::envid_limit, 'a');
    order.options.submitter = {mail::Submitter::Kind::login, std::string(1000, 'a'), {}};
    order.options.submitter.may_use.assign(mail::may_use_limit, "@" + std::string(319, 'a'));
    EXPECT_LE(encode(order).size(), packet_limit);
    EXPECT_TRUE(decode_remote_order(encode(order)));
}

TEST(DeliveryProtocol, AReportHasFields) {
    Report report;
    report.delivery = 7;
    report.server = "mx.far.test";
    report.server_ip = "192.0.2.1";
    report.tls = "TLSv1.3";
    report.dsn = report.deliver_by = true;
    report.recipients = {{Outcome::permanent, "no", "5.1.1", "550 5.1.1 no"}, {Outcome::success, "yes"}};
    const auto back = decode_report(encode(report));
    ASSERT_TRUE(back);
    EXPECT_TRUE(back->dsn && back->deliver_by);
    EXPECT_EQ(back->server, "mx.far.test");
    EXPECT_EQ(back->server_ip, "192.0.2.1");
    EXPECT_EQ(back->tls, "TLSv1.3");
    EXPECT_TRUE(back->dsn);
    EXPECT_EQ(back->recipients[0].status, "5.1.1");
    EXPECT_EQ(back->recipients[0].diagnostic, "550 5.1.1 no");
    EXPECT_EQ(back->recipients[1].diagnostic, "");
}

// As a spawner of the release before sends it, that has been retired by a restart into this one.
TEST(DeliveryProtocol, AReportWithoutFieldsIsUnderstood) {
    using namespace std::string_literals;
    const auto report = decode_report("RP1\n\x07\0\0\0\0\0\0\0\x01\x05\0\0\0\x01\0\0\0g\x01\0h\x02\0\0\0no"s);
    ASSERT_TRUE(report);
    EXPECT_EQ(report->delivery, 7U);
    EXPECT_TRUE(report->connection_failed);
    EXPECT_EQ(report->mx_group, "g");
    ASSERT_EQ(report->recipients.size(), 1U);
    EXPECT_EQ(report->recipients[0].text, "no");
}

TEST(DeliveryProtocol, UnderWayRoundTrip) {
    const auto back = decode_under_way(encode(some_delivery()));
    ASSERT_TRUE(back);
    EXPECT_EQ(back->delivery, 7U);
    EXPECT_EQ(back->message, 1234567890123456U);
    EXPECT_EQ(back->since, 1796009680);
    EXPECT_EQ(back->channel, Channel::local);
    EXPECT_EQ(back->address, "joe-ext@example.org");
    EXPECT_EQ(back->indices, std::vector<std::uint32_t>{3});
    UnderWay nobody = some_delivery();
    nobody.indices.clear();
    EXPECT_FALSE(decode_under_way(encode(nobody)));
}

TEST(DeliveryProtocol, WordsBetweenTheTwo) {
    EXPECT_EQ(decode_taken(encode_taken(70000)), 70000U);
    EXPECT_FALSE(decode_taken(encode_taken(1) + "x"));
    EXPECT_EQ(decode_cut(encode_cut(1ULL << 40)), 1ULL << 40);
    EXPECT_FALSE(decode_cut(encode_cut(1) + "x"));
    EXPECT_FALSE(decode_cut(encode_taken(1)));
    EXPECT_TRUE(is_retire(encode_retire()));
    EXPECT_TRUE(is_end_of_list(encode_end_of_list()));
    // None of them is another, nor an order or a report.
    EXPECT_FALSE(is_retire(encode_end_of_list()));
    EXPECT_FALSE(decode_report(encode_end_of_list()));
    EXPECT_FALSE(decode_local_order(encode_retire()));
}

TEST(DeliveryProtocol, RemoteOrderLimits) {
    RemoteOrder order = some_remote_order();
    order.recipients.assign(order_recipient_limit, std::string(address_field - 1, 'a'));
    const std::string largest = encode(order);
    EXPECT_LE(largest.size(), packet_limit);
    EXPECT_TRUE(decode_remote_order(largest));
    order.recipients.assign(order_recipient_limit + 1, "a@b");
    EXPECT_FALSE(decode_remote_order(encode(order)));
    order.recipients.clear();
    EXPECT_FALSE(decode_remote_order(encode(order)));
    order.recipients = {std::string("a\0b", 3)};
    EXPECT_FALSE(decode_remote_order(encode(order)));
    order.recipients = {std::string(address_field, 'a')};
    EXPECT_FALSE(decode_remote_order(encode(order)));
}

TEST(DeliveryProtocol, EveryCutOfAPacketIsRefused) {
    const std::string order = encode(some_remote_order());
    for (std::size_t i = 0; i < order.size(); ++i) EXPECT_FALSE(decode_remote_order(order.substr(0, i))) << i;
    const std::string delivery = encode(some_delivery());
    for (std::size_t i = 0; i < delivery.size(); ++i)
        EXPECT_FALSE(decode_under_way(delivery.substr(0, i))) << i;
    const std::string report = encode(Report{1, {{Outcome::permanent, "no"}}, "mx", true, 5});
    for (std::size_t i = 0; i < report.size(); ++i) EXPECT_FALSE(decode_report(report.substr(0, i))) << i;
}

TEST(DeliveryProtocol, ReportRoundTrip) {
    const Report report{9,
                        {{Outcome::success, "ok\nRemote host said: 250"}, {Outcome::temporary, ""}},
                        "mx.example.org",
                        true,
                        12};
    const auto back = decode_report(encode(report));
    ASSERT_TRUE(back);
    EXPECT_EQ(back->delivery, 9U);
    ASSERT_EQ(back->recipients.size(), 2U);
    EXPECT_EQ(back->recipients[0].outcome, Outcome::success);
    EXPECT_EQ(back->recipients[0].text, "ok\nRemote host said: 250");
    EXPECT_EQ(back->recipients[1].outcome, Outcome::temporary);
    EXPECT_EQ(back->mx_group, "mx.example.org");
    EXPECT_TRUE(back->connection_failed);
    EXPECT_EQ(back->milliseconds, 12U);
}

TEST(DeliveryProtocol, LongReportTextsAreCutToFitAPacket) {
    Report report;
    report.recipients.assign(order_recipient_limit, {Outcome::permanent, std::string(100'000, 'x')});
    report.mx_group = std::string(5000, 'm');
    const std::string packet = encode(report);
    EXPECT_LE(packet.size(), packet_limit);
    const auto back = decode_report(packet);
    ASSERT_TRUE(back);
    EXPECT_EQ(back->recipients.size(), order_recipient_limit);
    EXPECT_GT(back->recipients.back().text.size(), 1000U);
}

TEST(DeliveryProtocol, UnknownOutcomeIsRefused) {
    std::string packet = encode(Report{1, {{Outcome::success, ""}}, "", false, 0});
    packet[packet.size() - 5] = 'q';
    EXPECT_FALSE(decode_report(packet));
}

}  // namespace
}  // namespace relais::send
