#include "mail/automatic.h"

#include <gtest/gtest.h>

namespace relais::mail {
namespace {

TEST(Automatic, FieldsThatSaySo) {
    for (const char* field :
         {"Auto-Submitted: auto-replied", "auto-submitted:AUTO-generated; x=y\n", "Auto-Submitted: nobody",
          "Auto-Submitted:\n", "Precedence: bulk\n", "PRECEDENCE:  List \r\n", "Precedence: junk",
          "List-Id: <a.example>", "List-Post: NO"})
        EXPECT_TRUE(says_automatic(field)) << field;
    for (const char* field :
         {"Auto-Submitted: no", "Auto-Submitted: No (a person); a=b\n", "Precedence: first-class",
          "X-List-Id: <a>", "List-Unsubscribe: <mailto:a@b.example>", "Subject: Precedence: bulk", "",
          "no field"})
        EXPECT_FALSE(says_automatic(field)) << field;
}

}  // namespace
}  // namespace relais::mail
