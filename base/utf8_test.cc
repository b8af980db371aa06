#include "base/utf8.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

namespace relais {
namespace {

// The code of the character and its length; 0 for none.
std::pair<std::uint32_t, std::size_t> taken(std::string_view text) {
    std::string_view rest = text;
    const auto code = take_utf8(rest);
    return {code.value_or(0), text.size() - rest.size()};
}

}  // namespace

TEST(Utf8, TakesOneCharacter) {
    using Taken = std::pair<std::uint32_t, std::size_t>;
    EXPECT_EQ(taken("ab"), Taken('a', 1));
    EXPECT_EQ(taken("\xc3\xa9x"), Taken(0xe9, 2));
    EXPECT_EQ(taken("\xe4\xbe\x8b"), Taken(0x4f8b, 3));
    EXPECT_EQ(taken("\xf0\x9f\x93\xa7"), Taken(0x1f4e7, 4));
    EXPECT_EQ(taken("\xf4\x8f\xbf\xbf"), Taken(0x10ffff, 4));
}

TEST(Utf8, TakesNothingOfWhatIsNone) {
    for (const char* odd :
         {"\xff", "\x80", "\xc3", "\xc3(", "\xe4\xbe", "\xc0\xaf", "\xc1\xbf", "\xe0\x80\x80",
          "\xf0\x80\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80"})
        EXPECT_EQ(taken(odd).second, 0u) << odd;
}

}  // namespace relais
