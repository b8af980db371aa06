#include "base/netstring.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"

namespace relais {
namespace {

// The reader of these octets and no more.
struct NetstringInput {
    explicit NetstringInput(std::string_view text, std::uint64_t budget = 1000)
        : pipe(make_pipe()), reader(pipe.read.get()), strings(reader, budget, std::chrono::seconds(60)) {
        write_all(pipe.write.get(), text, Deadline::never());
        pipe.write.reset();
    }
    Pipe pipe;
    Reader reader;
    NetstringReader strings;
};

TEST(Netstring, WrittenAndRead) {
    EXPECT_EQ(netstring("hello world!"), "12:hello world!,");
    EXPECT_EQ(netstring(""), "0:,");
    NetstringInput input(netstring("a,b:\n") + netstring("") + netstring("long one") + "002:xy,");
    EXPECT_EQ(input.strings.read(100), "a,b:\n");
    EXPECT_EQ(input.strings.read(100), "");
    EXPECT_EQ(input.strings.read(7), std::nullopt);
    EXPECT_EQ(input.strings.read(2), "xy");
}

int number_of_failure(std::string_view text, std::uint64_t budget = 1000) {
    NetstringInput input(text, budget);
    try {
        input.strings.read(100);
    } catch (const Error& error) {
        return error.reaction() == Reaction::permanent ? -1 : error.number();
    }
    return 0;
}

TEST(Netstring, WhatIsNone) {
    for (const char* text : {":", "x", "-1:", " 1:a,", "1:ab", "0x1:a,", "+1:a,", "1;a,",
                             "99999999999999999999999:", "18446744073709551617:a,", "1001:"})
        EXPECT_EQ(number_of_failure(text), -1) << text;
    for (const char* text : {"", "1", "1:", "1:a", "12:hello"})
        EXPECT_EQ(number_of_failure(text), EPIPE) << text;
}

TEST(Netstring, NoneIsLongerThanWhatHoldsIt) {
    EXPECT_EQ(number_of_failure("3:abc,", 6), 0);
    EXPECT_EQ(number_of_failure("3:abc,", 5), -1);
    EXPECT_EQ(number_of_failure("3:abc,", 2), -1);
    EXPECT_EQ(number_of_failure("3:abc,", 0), -1);
}

TEST(Netstring, NobodyWaitsForEver) {
    Pipe pipe = make_pipe();
    Reader reader(pipe.read.get());
    NetstringReader strings(reader, 100, std::chrono::milliseconds(10));
    NetstringReader with_end(reader, 100, std::chrono::hours(1));
    with_end.set_deadline(Deadline::in(std::chrono::milliseconds(10)));
    for (NetstringReader* each : {&strings, &with_end}) {
        write_all(pipe.write.get(), "5:ab", Deadline::never());
        try {
            each->read(10);
            ADD_FAILURE();
        } catch (const Error& error) {
            EXPECT_EQ(error.number(), ETIMEDOUT);
        }
    }
}

}  // namespace
}  // namespace relais
