#include "local/forwarded_envelope.h"

#include <gtest/gtest.h>

namespace relais::local {
namespace {

std::string asking(std::string_view notify) {
    mail::EnvelopeOptions options;
    options.envid = "QQ1";
    return mail::encode_extension(options, {{*mail::parse_notify(notify), "rfc822;bob@x"}});
}

TEST(ForwardedEnvelope, AsksForTheSameButForSuccess) {
    const auto notify = [](std::string_view text) {
        const auto envelope = forwarded_envelope("s@x", "s@x", asking(text), {"a@y", "b@y"});
        EXPECT_EQ(envelope.options.envid, "QQ1");
        EXPECT_EQ(envelope.recipients[1].options, envelope.recipients[0].options);
        EXPECT_EQ(envelope.recipients[0].options.orcpt, "rfc822;bob@x");
        return mail::notify_text(envelope.recipients[0].options.notify);
    };
    EXPECT_EQ(notify("SUCCESS,FAILURE,DELAY"), "FAILURE,DELAY");
    EXPECT_EQ(notify("SUCCESS"), "NEVER") << "nobody asked for failures";
    EXPECT_EQ(notify("NEVER"), "NEVER");
}

TEST(ForwardedEnvelope, AListAnswersForItself) {
    const auto envelope = forwarded_envelope("s@x", "list-owner@x", asking("NEVER"), {"a@y"});
    EXPECT_EQ(envelope.options.envid, "");
    EXPECT_FALSE(envelope.recipients[0].options.said());
    EXPECT_EQ(envelope.options.submitter.kind, mail::Submitter::Kind::forward);
}

TEST(ForwardedEnvelope, WhatAsksForTlsGoesOnAskingForIt) {
    mail::EnvelopeOptions options;
    options.requiretls = true;
    const std::string asking = mail::encode_extension(options, {{}});
    EXPECT_TRUE(forwarded_envelope("s@x", "s@x", asking, {"a@y"}).options.requiretls);
    EXPECT_TRUE(forwarded_envelope("s@x", "list-owner@x", asking, {"a@y"}).options.requiretls);
}

TEST(ForwardedEnvelope, NothingAskedIsNothingSaid) {
    EXPECT_FALSE(forwarded_envelope("s@x", "s@x", "", {"a@y"}).recipients[0].options.said());
}

}  // namespace
}  // namespace relais::local
