#include "opensmtp/store.h"

#include <gtest/gtest.h>

#include <set>

#include "base/error.h"
#include "opensmtp/address.h"
#include "opensmtp/entry_file.h"
#include "opensmtp/gate.h"
#include "opensmtp/test_home.h"

namespace relais::opensmtp {
namespace {

const Moment today{1'000'000, 50'000, "this-boot"};

Entry entry_of(std::string address, std::string user = "anna") {
    return {std::move(address), std::move(user), "pop3", today};
}

TEST(Address, HasOneSpelling) {
    EXPECT_EQ(canonical_client("::ffff:192.0.2.7"), "192.0.2.7");
    EXPECT_EQ(canonical_client("2001:DB8:0::1"), "2001:db8::1");
    EXPECT_EQ(canonical_client("fe80::1%eth0"), "fe80::1");
    for (const char* bad : {"", "unknown", "192.0.2", "192.0.2.7.", "../1.2.3.4", "1.2.3.4%x", "::1/64"})
        EXPECT_FALSE(canonical_client(bad)) << bad;
    EXPECT_EQ(network64("2001:db8:0:1:2:3:4:5"), "2001:db8:0:1::/64");
    EXPECT_FALSE(network64("192.0.2.7"));
}

TEST(NetworkSet, MatchesAddressesAndNetworks) {
    const NetworkSet set(
        {"192.0.2.7", "10.0.0.0/9", "2001:db8::/33", "::1", "nonsense", "10.0.0.0/33", "1.2.3.4/"});
    EXPECT_EQ(set.match("192.0.2.7"), "192.0.2.7");
    EXPECT_EQ(set.match("::ffff:192.0.2.7"), "192.0.2.7");
    EXPECT_FALSE(set.match("192.0.2.8"));
    EXPECT_EQ(set.match("10.127.0.1"), "10.0.0.0/9");
    EXPECT_FALSE(set.match("10.128.0.1"));
    EXPECT_TRUE(set.match("2001:db8:7fff::1"));
    EXPECT_FALSE(set.match("2001:db8:8000::1"));
    EXPECT_TRUE(set.match("2001:db8:1:2::/64"));
    EXPECT_FALSE(set.match(""));
    EXPECT_EQ(set.wrong(), (std::vector<std::string>{"nonsense", "10.0.0.0/33", "1.2.3.4/"}));
}

TEST(Store, KeepsTheLastLogin) {
    const TestHome files;
    const OpenSmtpStore store(files.home());
    EXPECT_FALSE(store.look_up("192.0.2.7")) << "no split yet";
    StoreWriter writer(files.home());
    writer.put(entry_of("192.0.2.7"));
    writer.put(entry_of("192.0.2.7", "bob"));
    writer.put(entry_of("2001:db8:0:1::/64"));
    EXPECT_EQ(store.look_up("192.0.2.7"), entry_of("192.0.2.7", "bob"));
    EXPECT_EQ(store.look_up("2001:db8:0:1::/64"), entry_of("2001:db8:0:1::/64"));
    EXPECT_FALSE(store.look_up("2001:db8:0:1::"));
    std::set<std::string> seen;
    store.for_each([&](const Entry& entry) { seen.insert(entry.address); });
    EXPECT_EQ(seen, (std::set<std::string>{"192.0.2.7", "2001:db8:0:1::/64"}));
    EXPECT_TRUE(writer.remove("192.0.2.7"));
    EXPECT_FALSE(writer.remove("192.0.2.7"));
}

std::string stored_file(const std::string& address) {
    return "open-smtp/" + std::to_string(split_of(address)) + "/" + file_name(address);
}

std::string content_of(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

TEST(Store, DamagedEntriesGrantNothing) {
    const TestHome files;
    StoreWriter(files.home()).put(entry_of("192.0.2.7"));
    const std::string name = stored_file("192.0.2.7");
    const std::string good = content_of(files.path(name));
    const OpenSmtpStore store(files.home());
    for (std::size_t size = 0; size < good.size(); ++size) {
        files.write(name, good.substr(0, size));
        EXPECT_FALSE(store.look_up("192.0.2.7")) << size;
        std::string changed = good;
        changed[size] = static_cast<char>(changed[size] ^ 1);
        files.write(name, changed);
        EXPECT_FALSE(store.look_up("192.0.2.7")) << size;
    }
    files.write(name, std::string(100, '\0'));
    EXPECT_FALSE(store.look_up("192.0.2.7"));
    files.write(name, good + "what a longer record has left");
    EXPECT_TRUE(store.look_up("192.0.2.7"));
}

TEST(Store, RecordsCountOnlyUnderTheirName) {
    const TestHome files;
    StoreWriter(files.home()).put(entry_of("192.0.2.7"));
    std::filesystem::create_directories(files.path(stored_file("192.0.2.8")).parent_path());
    std::filesystem::copy_file(files.path(stored_file("192.0.2.7")), files.path(stored_file("192.0.2.8")));
    EXPECT_FALSE(OpenSmtpStore(files.home()).look_up("192.0.2.8"));
}

// Whatever part of a login has reached the file when its writer is killed, and whatever else it wrote there
// before.
TEST(Store, HalfAWriteLeavesTheLoginBefore) {
    for (const char* user : {"b", "annabella-who-has-a-long-name"}) {
        EntryFile file;
        std::string content;
        for (unsigned login = 1; login <= 4; ++login) {
            const Entry entry = entry_of("192.0.2.7", (login % 2 == 1 ? "x" : user) + std::to_string(login));
            const std::string slot = encode_slot(entry, login);
            content.resize(std::max(content.size(), file.next_offset + slot.size()));
            for (std::size_t written = 0; written < slot.size(); ++written) {
                std::string torn = content;
                torn.replace(file.next_offset, written, slot.substr(0, written));
                const auto seen = decode_entry_file("192.0.2.7", torn);
                EXPECT_TRUE(seen.entry == file.entry || seen.entry == entry) << login << " " << written;
            }
            content.replace(file.next_offset, slot.size(), slot);
            file = decode_entry_file("192.0.2.7", content);
            EXPECT_EQ(file.entry, entry);
            EXPECT_EQ(file.number, login);
        }
    }
}

TEST(Store, LongestEntryFitsIntoItsSlot) {
    const Entry longest{"2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
                        std::string(user_limit, 'u'),
                        std::string(service_limit, 's'),
                        {-999'999'999'999'999, -999'999'999'999'999, std::string(64, 'b')}};
    EXPECT_LE(encode(longest).size(), entry_limit);
    const std::string slot = encode_slot(longest, ~std::uint64_t{0});
    EXPECT_LE(slot.size(), slot_size);
    EXPECT_EQ(decode_entry_file(longest.address, slot).entry, longest);
}

TEST(Store, ReturnsWhatStoodBefore) {
    const TestHome files;
    StoreWriter writer(files.home());
    EXPECT_EQ(writer.put(entry_of("192.0.2.7")), std::nullopt);
    EXPECT_EQ(writer.put(entry_of("192.0.2.7", "bob")), entry_of("192.0.2.7"));
    // A new writer goes on where the last one ended.
    EXPECT_EQ(StoreWriter(files.home()).put(entry_of("192.0.2.7", "carl")), entry_of("192.0.2.7", "bob"));
    EXPECT_EQ(OpenSmtpStore(files.home()).look_up("192.0.2.7"), entry_of("192.0.2.7", "carl"));
}

TEST(Store, GoesOnWhenItWasEmptied) {
    const TestHome files;
    StoreWriter writer(files.home());
    writer.put(entry_of("192.0.2.7"));
    std::filesystem::remove_all(files.path(stored_file("192.0.2.7")).parent_path());
    writer.put(entry_of("192.0.2.7", "bob"));
    EXPECT_TRUE(OpenSmtpStore(files.home()).look_up("192.0.2.7"));
    std::filesystem::remove_all(files.path("open-smtp"));
    EXPECT_THROW(writer.put(entry_of("192.0.2.7")), Error);
    std::filesystem::create_directory(files.path("open-smtp"));
    writer.put(entry_of("192.0.2.7", "carl"));
    EXPECT_EQ(OpenSmtpStore(files.home()).look_up("192.0.2.7"), entry_of("192.0.2.7", "carl"));
}

TEST(Store, ForeignNamesAreNoEntries) {
    for (const char* name :
         {".", "..", ".new", "192.0.2.07", "192.0.2.7_64", "2001:DB8::1", "2001:db8::1_64", "x"})
        EXPECT_FALSE(address_of_file(name)) << name;
    EXPECT_EQ(address_of_file("2001:db8::_64"), "2001:db8::/64");
}

TEST(Store, SplitsEvenly) {
    std::array<unsigned, store_splits> counts{};
    for (unsigned i = 0; i < 65536; ++i)
        ++counts.at(split_of("10.1." + std::to_string(i / 256) + "." + std::to_string(i % 256)));
    for (const unsigned count : counts) EXPECT_NEAR(count, 256, 128);
}

class GateTest : public testing::Test {
  protected:
    void put(const std::string& address, std::int64_t seconds) {
        StoreWriter(files.home())
            .put({address, "anna", "pop3", {today.wall - seconds, today.boot - seconds, today.boot_id}});
    }
    bool opens(std::string_view address) {
        OpenSmtpGate gate(files.home());
        return gate.find(address, today).live;
    }
    TestHome files;
};

TEST_F(GateTest, LifetimeIsCheckedAtUse) {
    put("192.0.2.7", 10799);
    put("192.0.2.8", 10800);
    EXPECT_TRUE(opens("192.0.2.7"));
    EXPECT_TRUE(opens("::ffff:192.0.2.7"));
    EXPECT_FALSE(opens("192.0.2.8"));
    EXPECT_FALSE(opens("192.0.2.9"));
    EXPECT_FALSE(opens("unknown"));
    files.control("opensmtplifetime", "60\n");
    EXPECT_FALSE(opens("192.0.2.7"));
}

TEST_F(GateTest, NetworksOnlyWhereConfigured) {
    put("2001:db8:0:1::/64", 60);
    EXPECT_FALSE(opens("2001:db8:0:1::7"));
    files.control("opensmtpprefix6", "64\n");
    EXPECT_TRUE(opens("2001:db8:0:1::7"));
    EXPECT_FALSE(opens("2001:db8:0:2::7"));
    // One of the time before the change still counts for its address.
    put("2001:db8:0:3::7", 60);
    EXPECT_TRUE(opens("2001:db8:0:3::7"));
    EXPECT_FALSE(opens("2001:db8:0:3::8"));
}

TEST_F(GateTest, ExcludedAddressesOpenNothing) {
    put("192.0.2.7", 60);
    files.control("opensmtpexclude", "# webmail\n192.0.2.0/24\n");
    OpenSmtpGate gate(files.home());
    EXPECT_FALSE(gate.find("192.0.2.7", today).live);
    EXPECT_EQ(gate.find("192.0.2.7", today).excluded, "192.0.2.0/24");
}

TEST_F(GateTest, VpopmailsFileCountsWithExpiryAtUse) {
    files.control("opensmtpfile", files.path("live").string() + "\n");
    files.write("live",
                "192.0.2.7:allow,RELAYCLIENT=\"\",RBLSMTPD=\"\"\t999000\n"
                "192.0.2.8:allow,RELAYCLIENT=\"\" ,RBLSMTPD=\"\" 980000\n"
                "192.0.2.9:allow,RELAYCLIENT=\"\",RBLSMTPD=\"\"\t1000001\n");
    EXPECT_TRUE(opens("192.0.2.7"));
    EXPECT_FALSE(opens("192.0.2.8")) << "too old";
    EXPECT_FALSE(opens("192.0.2.9")) << "from the future";
    EXPECT_FALSE(opens("92.0.2.7"));
    EXPECT_FALSE(opens("192.0.2.70"));
    put("192.0.2.8", 60);
    EXPECT_TRUE(opens("192.0.2.8")) << "the younger of the two counts";
}

}  // namespace
}  // namespace relais::opensmtp
