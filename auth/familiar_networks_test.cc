#include "auth/familiar_networks.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/error.h"

namespace relais::auth {
namespace {

constexpr std::int64_t day = 86400;
constexpr std::int64_t first_seen = 20000 * day;

class FamiliarNetworksFile : public testing::Test {
  protected:
    FamiliarNetworksFile() {
        char name[] = "/tmp/relais-networks-XXXXXX";
        directory = ::mkdtemp(name);
        path = directory + "/networks";
    }
    ~FamiliarNetworksFile() override { std::filesystem::remove_all(directory); }
    std::string directory, path;
};

TEST(FamiliarNetworks, AreKnownForThirtyDays) {
    auto networks = FamiliarNetworks::in_memory();
    EXPECT_FALSE(networks.knows("a@b", "192.0.2.1", first_seen));
    EXPECT_TRUE(networks.add("a@b", "192.0.2.1", first_seen));
    EXPECT_TRUE(networks.knows("a@b", "192.0.2.1", first_seen + 29 * day));
    EXPECT_FALSE(networks.knows("a@b", "192.0.2.1", first_seen + 30 * day));
    EXPECT_FALSE(networks.knows("a@b", "192.0.2.2", first_seen));
    EXPECT_FALSE(networks.knows("c@b", "192.0.2.1", first_seen));
    EXPECT_TRUE(networks.add("a@b", "192.0.2.1", first_seen + 29 * day));
    EXPECT_TRUE(networks.knows("a@b", "192.0.2.1", first_seen + 58 * day));
}

TEST(FamiliarNetworks, ClocksThatWereSetBackAreForgivenADay) {
    auto networks = FamiliarNetworks::in_memory();
    networks.add("a@b", "192.0.2.1", first_seen);
    EXPECT_TRUE(networks.knows("a@b", "192.0.2.1", first_seen - day / 2));
    EXPECT_FALSE(networks.knows("a@b", "192.0.2.1", first_seen - 2 * day));
}

TEST(FamiliarNetworks, AnAccountHasItsShareAndKeepsTheLatest) {
    auto networks = FamiliarNetworks::in_memory();
    networks.add("other@b", "192.0.2.1", first_seen);
    for (int i = 0; i < 1000; ++i) networks.add("a@b", std::to_string(i), first_seen + i * 3600);
    const std::int64_t now = first_seen + 1000 * 3600;
    EXPECT_TRUE(networks.knows("other@b", "192.0.2.1", now - 20 * day));
    unsigned known = 0;
    for (int i = 0; i < 1000; ++i)
        if (networks.knows("a@b", std::to_string(i), now)) ++known;
    EXPECT_EQ(known, FamiliarNetworks::networks_of_account);
    EXPECT_TRUE(networks.knows("a@b", "999", now));
}

TEST(FamiliarNetworks, ManyAccountsStay) {
    auto networks = FamiliarNetworks::in_memory();
    for (int i = 0; i < 50000; ++i) networks.add(std::to_string(i), "192.0.2.1", first_seen);
    for (int i = 0; i < 50000; ++i)
        ASSERT_TRUE(networks.knows(std::to_string(i), "192.0.2.1", first_seen)) << i;
}

TEST_F(FamiliarNetworksFile, OutliveTheProcessAndAreClosedToOthers) {
    FamiliarNetworks::in_file(path).add("a@b", "192.0.2.1", first_seen);
    EXPECT_TRUE(FamiliarNetworks::in_file(path).knows("a@b", "192.0.2.1", first_seen));
    ASSERT_EQ(::chmod(path.c_str(), 0644), 0);
    FamiliarNetworks::in_file(path);
    struct stat info {};
    ASSERT_EQ(::stat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777, 0600U);
    std::ifstream file(path);
    const std::string content{std::istreambuf_iterator<char>(file), {}};
    EXPECT_EQ(content.find("192.0.2.1"), std::string::npos);
    EXPECT_EQ(content.find("a@b"), std::string::npos);
}

TEST_F(FamiliarNetworksFile, AFileOfAnotherFormBeginsAnew) {
    for (const std::size_t size : {0, 5, 511, 5000000}) {
        std::ofstream(path) << std::string(size, 'x');
        auto networks = FamiliarNetworks::in_file(path);
        EXPECT_FALSE(networks.knows("a@b", "192.0.2.1", first_seen));
        networks.add("a@b", "192.0.2.1", first_seen);
        EXPECT_TRUE(FamiliarNetworks::in_file(path).knows("a@b", "192.0.2.1", first_seen));
    }
}

TEST_F(FamiliarNetworksFile, DamagedSlotsMatchNothing) {
    FamiliarNetworks::in_file(path).add("a@b", "192.0.2.1", first_seen);
    const auto size = std::filesystem::file_size(path);
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(512);
    file << std::string(size - 512, '\xff');
    file.close();
    auto networks = FamiliarNetworks::in_file(path);
    EXPECT_FALSE(networks.knows("a@b", "192.0.2.1", first_seen));
    EXPECT_TRUE(networks.add("a@b", "192.0.2.1", first_seen));
    EXPECT_TRUE(networks.knows("a@b", "192.0.2.1", first_seen));
}

TEST_F(FamiliarNetworksFile, LinksAreNotFollowed) {
    std::filesystem::create_symlink(directory + "/elsewhere", path);
    EXPECT_THROW(FamiliarNetworks::in_file(path), Error);
    EXPECT_FALSE(std::filesystem::exists(directory + "/elsewhere"));
    std::filesystem::remove(path);
    std::ofstream(directory + "/other") << "kept";
    std::filesystem::create_hard_link(directory + "/other", path);
    EXPECT_THROW(FamiliarNetworks::in_file(path), Error);
    EXPECT_EQ(std::filesystem::file_size(directory + "/other"), 4U);
}

}  // namespace
}  // namespace relais::auth
