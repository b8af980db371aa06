#include "authres/arc.h"

#include <gtest/gtest.h>

#include "authres/verification.h"
#include "authres/zone.h"
#include "sasl/base64.h"

namespace relais::authres {
namespace {

std::unique_ptr<PrivateKey> sealing_key() {
    return PrivateKey::from_ed25519_seed(std::string(32, 'k'));
}

ArcOutcome arc_of(std::string_view message, bool answered = true) {
    const std::string record = "sel._domainkey.fwd.example. ";
    ZoneDns dns(Zone::parse(
        answered ? record + "TXT \"k=ed25519; p=" + sasl::encode_base64(sealing_key()->public_key()) + "\"\n"
                 : record + "TIMEOUT\n",
        "zone"));
    Verification verification;
    verification.add(message);
    verification.end_message();
    return verification.finish(dns, {}, Deadline::never()).arc;
}

std::string sealed(const std::string& message) {
    ArcSealer sealer({"fwd.example", "sel", "mx.fwd.example"});
    MessageReader reader(sealer);
    reader.add(message);
    reader.finish();
    return sealer.finish(*sealing_key(), "spf=pass smtp.mailfrom=a@example.org;\r\n\tdkim=none",
                         arc_of(message)) +
           message;
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
    return text.replace(text.find(from), from.size(), to);
}

const std::string mail_text = "From: a@example.org\r\nSubject: x\r\n\r\nbody\r\n";

TEST(Arc, SealedMessagesVerifySetBySet) {
    EXPECT_EQ(arc_of(mail_text).result, ArcResult::none);
    std::string message = mail_text;
    for (unsigned i = 1; i <= 3; ++i) {
        message = sealed(message);
        const auto outcome = arc_of(message);
        EXPECT_EQ(outcome.result, ArcResult::pass) << outcome.reason << message;
        EXPECT_EQ(outcome.sets, i);
    }
    EXPECT_EQ(arc_of(message, false).result, ArcResult::temperror);
}

TEST(Arc, ChangesBreakTheChainForGood) {
    const std::string twice = sealed(sealed(mail_text));
    EXPECT_EQ(arc_of(replaced(twice, "body", "Body")).reason,
              "the body has changed since the newest ARC set: its hash is another");
    EXPECT_EQ(arc_of(replaced(twice, "Subject: x", "Subject: y")).result, ArcResult::fail);
    EXPECT_EQ(arc_of(replaced(twice, "i=1; mx.fwd.example", "i=1; mx.fwd.other")).reason.substr(0, 22),
              "the seal of instance 2");
    EXPECT_EQ(arc_of(replaced(twice, "cv=none", "cv=pass")).reason, "the seal of instance 1 has a wrong cv=");
    EXPECT_EQ(arc_of(replaced(twice, "i=2; mx", "i=3; mx")).reason, "instance 2 is not complete");
    EXPECT_EQ(arc_of(replaced(twice, "i=2; mx", "i=1; mx")).reason,
              "instance 1 has two fields ARC-Authentication-Results");
    EXPECT_EQ(arc_of(replaced(twice, "i=2; mx", "i=51; mx")).reason,
              "ARC-Authentication-Results has no instance from 1 to 50");
    // A seal on a broken chain says so; then nobody adds another.
    const std::string broken = sealed(replaced(twice, "body", "Body"));
    EXPECT_NE(broken.find("cv=fail"), std::string::npos);
    EXPECT_TRUE(arc_of(broken).ended);
    EXPECT_EQ(sealed(broken), broken);
}

}  // namespace
}  // namespace relais::authres
