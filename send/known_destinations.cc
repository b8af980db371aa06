#include "send/known_destinations.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

namespace relais::send {
namespace {

constexpr std::string_view magic = "RELDEST1";
constexpr std::size_t head_size = 16;
constexpr std::size_t record_size = 16;

std::uint64_t mix(std::uint64_t value) {
    value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9U;
    value = (value ^ value >> 27) * 0x94d049bb133111ebU;
    return value ^ value >> 31;
}

std::uint64_t get(std::string_view data, std::size_t at, std::size_t octets) {
    std::uint64_t value = 0;
    for (std::size_t i = octets; i-- > 0;) value = value << 8 | static_cast<unsigned char>(data[at + i]);
    return value;
}

void put(std::string& out, std::uint64_t value, std::size_t octets) {
    for (std::size_t i = 0; i < octets; ++i) out += static_cast<char>(value >> (8 * i) & 0xff);
}

// A regular file, whatever stands there; with a name of its own, so that what is written goes nowhere else.
Fd open_table(const std::string& path) {
    Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600));
    struct stat info {};
    if (fd && (::fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode) || info.st_nlink != 1)) fd.reset();
    return fd;
}

}  // namespace

KnownDestinations::KnownDestinations(const std::string& path, std::uint64_t seed)
    : fd_(open_table(path)), salt_(mix(seed)), records_(places) {
    if (fd_ && !read()) begin();
}

// False if the file has no such table.
bool KnownDestinations::read() {
    std::string data(head_size + places * record_size, '\0');
    const ssize_t count = ::pread(fd_.get(), data.data(), data.size(), 0);
    if (count < static_cast<ssize_t>(head_size) || !data.starts_with(magic)) return false;
    salt_ = get(data, magic.size(), 8);
    for (std::size_t place = 0; place < places; ++place) {
        const std::size_t at = head_size + place * record_size;
        const Record record{get(data, at, 8), static_cast<std::uint32_t>(get(data, at + 8, 4))};
        const bool valid =
            get(data, at + 12, 4) == check_of(record) && place / ways == first_place(record.hash) / ways;
        if (valid) records_[place] = record;
    }
    return true;
}

// Old records, of another salt, fail their checks.
void KnownDestinations::begin() {
    std::string head(magic);
    put(head, salt_, 8);
    if (::pwrite(fd_.get(), head.data(), head.size(), 0) != static_cast<ssize_t>(head.size())) fd_.reset();
}

std::uint64_t KnownDestinations::hash_of(std::string_view name) const {
    std::uint64_t hash = salt_;
    for (const char c : name) hash = mix(hash ^ static_cast<unsigned char>(c));
    return mix(hash + name.size());
}

std::uint32_t KnownDestinations::check_of(const Record& record) const {
    return static_cast<std::uint32_t>(mix(record.hash ^ mix(salt_ + record.day)) >> 32);
}

bool KnownDestinations::contains(std::string_view name) const {
    const std::uint64_t hash = hash_of(name);
    const auto first = records_.begin() + static_cast<std::ptrdiff_t>(first_place(hash));
    return std::any_of(first, first + ways,
                       [hash](const Record& record) { return record.day != 0 && record.hash == hash; });
}

void KnownDestinations::add(std::string_view name, std::int64_t now) {
    const std::uint64_t hash = hash_of(name);
    const auto day = static_cast<std::uint32_t>(std::clamp<std::int64_t>(now / 86'400, 1, 0xffffffff));
    std::size_t chosen = first_place(hash);
    for (std::size_t place = first_place(hash), i = 0; i < ways; ++i, ++place) {
        if (records_[place].day != 0 && records_[place].hash == hash) {
            chosen = place;
            break;
        }
        if (records_[place].day < records_[chosen].day) chosen = place;
    }
    Record& record = records_[chosen];
    if (record.hash == hash && record.day == day) return;
    record = {hash, day};
    write(chosen);
}

void KnownDestinations::write(std::size_t place) const {
    if (!fd_) return;
    std::string data;
    put(data, records_[place].hash, 8);
    put(data, records_[place].day, 4);
    put(data, check_of(records_[place]), 4);
    const auto at = static_cast<off_t>(head_size + place * record_size);
    // A full disk only means that it is a stranger again after the next start.
    static_cast<void>(::pwrite(fd_.get(), data.data(), data.size(), at) == 0);
}

}  // namespace relais::send
