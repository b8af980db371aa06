#include "control/table.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/text.h"

namespace relais::control {

TEST(ControlTable, IsSortedAndComplete) {
    const auto rows = control_files();
    EXPECT_TRUE(std::is_sorted(rows.begin(), rows.end(),
                               [](const auto& a, const auto& b) { return a.name < b.name; }));
    for (const ControlFile& row : rows) {
        EXPECT_FALSE(row.reader.empty()) << row.name;
        EXPECT_FALSE(row.meaning.empty()) << row.name;
        EXPECT_FALSE(is_foreign_name(row.name)) << row.name;
        if (row.kind == FileKind::number) {
            EXPECT_GE(parse_number(row.fallback).value(), row.least) << row.name;
            EXPECT_LE(parse_number(row.fallback).value(), row.most) << row.name;
        }
    }
}

TEST(ControlTable, HasTheDefaultsThatQmailHas) {
    EXPECT_EQ(find_control_file("queuelifetime")->fallback, "604800");
    EXPECT_EQ(find_control_file("timeoutsmtpd")->fallback, "1200");
    EXPECT_EQ(find_control_file("concurrencyremote")->fallback, "20");
    EXPECT_TRUE(find_control_file("locals")->me_default);
    EXPECT_FALSE(find_control_file("rcpthosts")->me_default);
    EXPECT_EQ(find_control_file("nosuch"), nullptr);
}

TEST(ControlTable, IsAManualPage) {
    const std::string page = manual_page();
    for (const ControlFile& row : control_files())
        EXPECT_NE(page.find(".It Pa " + std::string(row.name) + " No ("), std::string::npos) << row.name;
    EXPECT_NE(page.find("Default:\n.Li \"1200 seconds\" .\n"), std::string::npos);
}

TEST(ControlTable, GuessesWhatWasMeant) {
    EXPECT_EQ(nearest_control_file("rcpthost")->name, "rcpthosts");
    EXPECT_EQ(nearest_control_file("RcptHosts")->name, "rcpthosts");
    EXPECT_EQ(nearest_control_file("virtualdomain")->name, "virtualdomains");
    EXPECT_EQ(nearest_control_file("concurencyremote")->name, "concurrencyremote");
    EXPECT_EQ(nearest_control_file("m"), nullptr);
    EXPECT_EQ(nearest_control_file("something"), nullptr);
    EXPECT_EQ(nearest_control_file(std::string(5000, 'x')), nullptr);
}

}  // namespace relais::control
