#include "control/check_modes.h"

#include <gtest/gtest.h>

namespace relais::control {
namespace {

CheckMode mode_of(const std::vector<std::string>& lines, std::string_view name) {
    return CheckModes(lines).of(*find_check(name));
}

TEST(CheckModes, WithoutALineACheckDoesWhatItEverDid) {
    EXPECT_EQ(mode_of({}, "badmailfrom"), CheckMode::refuse);
    EXPECT_EQ(mode_of({}, "heloself"), CheckMode::off);
}

TEST(CheckModes, WithoutTheFileOnlyWhatIsOlderIsAsked) {
    const CheckModes modes(std::nullopt);
    EXPECT_FALSE(modes.has_file());
    for (const KnownCheck& check : known_checks)
        EXPECT_EQ(modes.of(check), check.name == "badmailfrom" ? CheckMode::refuse : CheckMode::off)
            << check.name;
    EXPECT_TRUE(CheckModes(std::vector<std::string>{}).has_file());
    EXPECT_EQ(later_check_of("dnsbllist")->name, "dnsbl");
    EXPECT_EQ(later_check_of("badmailfrom"), nullptr);
    EXPECT_EQ(later_check_of("rcpthosts"), nullptr);
}

TEST(CheckModes, ALineSaysOtherwise) {
    EXPECT_EQ(mode_of({"badmailfrom  Log"}, "badmailfrom"), CheckMode::log);
    EXPECT_EQ(mode_of({"BADHELO\tdefer", "badhelo defer", "heloself tag"}, "badhelo"), CheckMode::defer);
    EXPECT_EQ(mode_of({"heloself tag"}, "heloself"), CheckMode::tag);
    EXPECT_EQ(mode_of({"heloself\ttag"}, "heloself"), CheckMode::tag);
    EXPECT_EQ(mode_of({"heloself tag"}, "badhelo"), CheckMode::refuse);
}

TEST(CheckModes, WhatMakesNoSenseIsSaidAndDoesNotCount) {
    for (const char* line : {"badhelo", "badhelo never", "nothing refuse", "badhelo off off"})
        EXPECT_NE(CheckModes::fault(line), "") << line;
    EXPECT_EQ(CheckModes::fault("badhelo off"), "");
    EXPECT_EQ(mode_of({"badhelo never"}, "badhelo"), CheckMode::refuse);
    EXPECT_EQ(find_check("recipientcheck"), nullptr);
}

TEST(CheckModes, TheThirdWordIsForWhatCannotBeTold) {
    const auto passes = [](const std::vector<std::string>& lines) {
        return CheckModes(lines).passes_unknown(*find_check("mfcheck"));
    };
    EXPECT_TRUE(passes({}));
    EXPECT_TRUE(passes({"mfcheck log"}));
    EXPECT_TRUE(passes({"mfcheck tag"}));
    EXPECT_FALSE(passes({"mfcheck refuse"}));
    EXPECT_FALSE(passes({"mfcheck defer"}));
    EXPECT_TRUE(passes({"mfcheck refuse pass"}));
    EXPECT_FALSE(passes({"mfcheck log defer"}));
    EXPECT_EQ(mode_of({"mfcheck refuse pass"}, "mfcheck"), CheckMode::refuse);
    EXPECT_NE(CheckModes::fault("mfcheck refuse never"), "");
    EXPECT_EQ(CheckModes::fault("mfcheck refuse Pass"), "");
}

TEST(CheckModes, EachModeHasItsWord) {
    EXPECT_EQ(to_text(CheckMode::off), "off");
    EXPECT_EQ(to_text(CheckMode::refuse), "refuse");
}

}  // namespace
}  // namespace relais::control
