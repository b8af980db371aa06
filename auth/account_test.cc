#include "auth/account.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "sasl/scram.h"

namespace relais::auth {
namespace {

TEST(CanonicalName, ThreeFormsAreOneAccount) {
    for (const char* login : {"anna", "Anna", "anna%example.org", "anna@Example.ORG", "anna@example.org."})
        EXPECT_EQ(canonical_name(login, "example.org"), "anna@example.org") << login;
}

TEST(CanonicalName, TheLastSignCounts) {
    EXPECT_EQ(canonical_name("a%b@c.test", "x.test"), "a%b@c.test");
    EXPECT_EQ(canonical_name("a%b%c.test", "x.test"), "a%b@c.test");
}

TEST(CanonicalName, WhatCannotBeAnAccount) {
    for (const char* login :
         {"", "@", "a@", "@b", "%b", "a@b@c", "../a@b", "a/b@c", ".a@b", "a:b@c", "a b@c", "a\n@b", "\xe9@b"})
        EXPECT_FALSE(canonical_name(login, "example.org")) << login;
    EXPECT_FALSE(canonical_name("anna", ""));
    EXPECT_FALSE(canonical_name(std::string(250, 'a'), "example.org"));
}

const Account anna{"anna@a.test", "$argon2id$x", "a:b%c \n\xff", 1000,
                   100,           "/home/an na", "/bin/false",   "./M:1/"};

TEST(PasswdLine, ComesBack) {
    const std::string line = format_passwd_line(anna);
    EXPECT_EQ(line, "anna@a.test:$argon2id$x:a%3Ab%25c%20%0A%FF:1000:100:/home/an%20na:/bin/false:./M%3A1/:");
    EXPECT_EQ(parse_passwd_line(line), anna);
    EXPECT_EQ(parse_passwd_line(line.substr(0, line.size() - 1)), anna);
    Account bert = anna;
    bert.verifier = sasl::format_scram_verifier(sasl::make_scram_verifier("x", "salt", 4096));
    EXPECT_EQ(parse_passwd_line(format_passwd_line(bert)), bert);
    EXPECT_EQ(decode_record(bert.name, encode_record(bert)), bert);
}

TEST(PasswdLine, WhatIsWrongIsSaidWithoutTheSecret) {
    for (const char* line :
         {"", "a@b", "a@b:h:sesame:0:1:/h:s:", "a@b:h:sesame:1:0:/h:s:", "a@b:h:sesame:1:1:h:s:",
          "A@b:h:sesame:1:1:/h:s:", "a@b:h:sesame%:1:1:/h:s:", "a@b:h:sesame%00:1:1:/h:s:",
          "a@b:h:sesame:1:1:/h:s:::", "a@b:h:sesame:1:1:/h:s::SCRAM-SHA-256$1",
          "a@b:h:sesame:4294967295:1:/h:s:", "a@b:h:sesame:-1:1:/h:s:", "a:h:sesame:1:1:/h:s:"}) {
        try {
            parse_passwd_line(line);
            ADD_FAILURE() << line;
        } catch (const Error& error) {
            EXPECT_EQ(std::string(error.what()).find("sesame"), std::string::npos) << error.what();
        }
    }
}

TEST(Record, ComesBackAndDamageIsNothing) {
    const std::string record = encode_record(anna);
    EXPECT_EQ(decode_record(anna.name, record), anna);
    EXPECT_FALSE(decode_record("a@b", record + std::string(1, '\0')));
    EXPECT_FALSE(decode_record("a@b", record.substr(0, 5)));
    EXPECT_FALSE(decode_record("a@b", ""));
}

}  // namespace
}  // namespace relais::auth
