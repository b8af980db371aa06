#include "setup/script_users.h"

#include <gmock/gmock.h>

namespace relais::setup {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(ScriptUsers, NumbersBehindTheOptions) {
    EXPECT_THAT(
        users_of_script("#!/bin/sh\nexec tcpserver -v -u 995 -g 996 -x a.cdb 0 25 qmail-smtpd 2>&1\n"),
        ElementsAre(995));
    EXPECT_THAT(users_of_script("exec setpriv --reuid=12 --regid=13 --clear-groups \"$0\"\n  exec x -u 7\n"),
                ElementsAre(12, 7));
}

TEST(ScriptUsers, WhatIsNoNumber) {
    EXPECT_THAT(users_of_script("set -u\nexec x -u\n5\nid -u $USER\nexec y -U 5 --reuid=me -g 7 99\n"),
                IsEmpty());
    EXPECT_THAT(users_of_script("-u 99999999999999999999\n"), IsEmpty());
    EXPECT_THAT(users_of_script(""), IsEmpty());
}

}  // namespace
}  // namespace relais::setup
