#include "mail/smtp_command.h"

#include <gtest/gtest.h>

#include <limits>

namespace relais::mail {

using Fault = MailParameters::Fault;

TEST(SmtpCommand, SplitsVerbAndArgument) {
    EXPECT_EQ(parse_smtp_command("MAIL FROM:<a@b>").verb, "MAIL");
    EXPECT_EQ(parse_smtp_command("MAIL FROM:<a@b>").argument, "FROM:<a@b>");
    EXPECT_EQ(parse_smtp_command("  quit  ").verb, "quit");
    EXPECT_EQ(parse_smtp_command("  quit  ").argument, "");
    EXPECT_EQ(parse_smtp_command("helo\tx y ").argument, "x y");
    EXPECT_EQ(parse_smtp_command("").verb, "");
    EXPECT_EQ(parse_smtp_command(" \t ").verb, "");
}

TEST(SmtpCommand, FindsWhatFollowsTheKeyword) {
    EXPECT_EQ(after_keyword("FROM:<a@b>", "FROM"), "<a@b>");
    EXPECT_EQ(after_keyword("from : <a@b>", "FROM"), " <a@b>");
    EXPECT_EQ(after_keyword("to:", "TO"), "");
    EXPECT_FALSE(after_keyword("<a@b>", "FROM"));
    EXPECT_FALSE(after_keyword("FROM <a@b>", "FROM"));
    EXPECT_FALSE(after_keyword("FROM", "FROM"));
    EXPECT_FALSE(after_keyword("TOTAL:", "TO"));
}

TEST(EsmtpParameters, SplitsThem) {
    const auto parameters = parse_esmtp_parameters(" SIZE=10  NOTIFY=NEVER\tSMTPUTF8 ");
    ASSERT_TRUE(parameters);
    ASSERT_EQ(parameters->size(), 3u);
    EXPECT_EQ((*parameters)[0].keyword, "SIZE");
    EXPECT_EQ((*parameters)[0].value, "10");
    EXPECT_EQ((*parameters)[2].keyword, "SMTPUTF8");
    EXPECT_FALSE((*parameters)[2].value);
    EXPECT_TRUE(parse_esmtp_parameters("")->empty());
    for (const char* text : {"=", "=x", "SIZE=", "-A=1", "A_B=1", "SIZE=1\x7f", "<a@b>", "X\x01"})
        EXPECT_FALSE(parse_esmtp_parameters(text)) << text;
}

TEST(MailParameters, TakesWhatWeOffer) {
    const MailParameters parameters =
        parse_mail_parameters("size=100 Body=8BitMime AUTH=e+3Dmc2@example.com");
    EXPECT_EQ(parameters.fault, Fault::none);
    EXPECT_EQ(parameters.size, 100u);
    EXPECT_TRUE(parameters.eight_bit);
    EXPECT_EQ(parameters.auth, "e=mc2@example.com");
    EXPECT_EQ(parse_mail_parameters("AUTH=<>").auth, "");
    EXPECT_FALSE(parse_mail_parameters("BODY=7BIT").eight_bit);
    EXPECT_FALSE(parse_mail_parameters("").size);
    EXPECT_EQ(parse_mail_parameters("SIZE=99999999999999999999").size,
              std::numeric_limits<std::uint64_t>::max());
}

TEST(MailParameters, TakesWhatDsnHas) {
    const MailParameters parameters = parse_mail_parameters("ret=hdrs ENVID=QQ+2B1");
    EXPECT_EQ(parameters.fault, Fault::none);
    EXPECT_EQ(parameters.ret, Ret::headers);
    EXPECT_EQ(parameters.envid, "QQ+2B1");
    EXPECT_TRUE(parameters.asks_dsn());
    EXPECT_FALSE(parse_mail_parameters("SIZE=1").asks_dsn());
    for (const char* text :
         {"RET", "RET=HALF", "RET=FULL RET=FULL", "ENVID=", "ENVID=a+2", "ENVID=a ENVID=a"})
        EXPECT_EQ(parse_mail_parameters(text).fault, Fault::syntax) << text;
}

TEST(RcptParameters, TakesWhatDsnHas) {
    const RcptParameters parameters =
        parse_rcpt_parameters("NOTIFY=success,Delay ORCPT=rfc822;bob+2Bx@b.test");
    EXPECT_EQ(parameters.fault, Fault::none);
    EXPECT_TRUE(parameters.options.notify.success && parameters.options.notify.delay);
    EXPECT_EQ(parameters.options.orcpt, "rfc822;bob+2Bx@b.test");
    EXPECT_FALSE(parse_rcpt_parameters("").options.said());
    for (const char* text : {"NOTIFY=NEVER,DELAY", "NOTIFY=", "NOTIFY=NEVER NOTIFY=NEVER", "ORCPT=bob",
                             "ORCPT=rfc822;a ORCPT=rfc822;a", "=x"})
        EXPECT_EQ(parse_rcpt_parameters(text).fault, Fault::syntax) << text;
    EXPECT_EQ(parse_rcpt_parameters("BY=120;R").fault, Fault::unknown);
}

TEST(MailParameters, SaysWhatIsWrong) {
    for (const char* text :
         {"SIZE", "SIZE=", "SIZE=-1", "SIZE=1x", "SIZE=1 SIZE=2", "SIZE=999999999999999999999",
          "BODY=BINARYMIME", "BODY", "AUTH", "AUTH=", "AUTH=a+", "AUTH=a+2", "AUTH=a+2b", "a=b=c@"})
        EXPECT_NE(parse_mail_parameters(text).fault, Fault::none) << text;
    EXPECT_EQ(parse_mail_parameters("SIZE=x").fault, Fault::syntax);
    EXPECT_EQ(parse_mail_parameters("XVERP=1").fault, Fault::unknown);
    EXPECT_EQ(parse_mail_parameters("SMTPUTF8=1").fault, Fault::syntax);
    EXPECT_EQ(parse_mail_parameters("SMTPUTF8 SMTPUTF8").fault, Fault::syntax);
    EXPECT_TRUE(parse_mail_parameters(" smtputf8 SIZE=1").smtputf8);
    EXPECT_EQ(parse_mail_parameters("REQUIRETLS=yes").fault, Fault::syntax);
    EXPECT_EQ(parse_mail_parameters("REQUIRETLS requiretls").fault, Fault::syntax);
    EXPECT_TRUE(parse_mail_parameters("SIZE=1 RequireTLS").requiretls);
    EXPECT_FALSE(parse_mail_parameters("SIZE=1").requiretls);
}

TEST(Chunk, HasASizeAndMayBeTheLast) {
    EXPECT_EQ(parse_chunk("0"), (Chunk{0, false}));
    EXPECT_EQ(parse_chunk("1000 LAST"), (Chunk{1000, true}));
    EXPECT_EQ(parse_chunk(" 0010 last "), (Chunk{10, true}));
    EXPECT_EQ(parse_chunk("1099511627776"), (Chunk{Chunk::most, false}));
    for (const char* text : {"", "LAST", "x", "-1", "+1", "1x", "1 FIRST", "1 LAST LAST", "1099511627777",
                             "99999999999999999999", "999999999999999999999", "0x10", "1,5"})
        EXPECT_FALSE(parse_chunk(text)) << text;
}

TEST(Xtext, RoundTrips) {
    std::string all;
    for (int octet = 0; octet < 256; ++octet) all += static_cast<char>(octet);
    EXPECT_EQ(decode_xtext(encode_xtext(all)), all);
    EXPECT_EQ(encode_xtext("a+b=c"), "a+2Bb+3Dc");
    EXPECT_FALSE(decode_xtext("a=b"));
    EXPECT_FALSE(decode_xtext("a b"));
}

}  // namespace relais::mail
