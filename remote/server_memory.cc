#include "remote/server_memory.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "base/held_directory.h"
#include "base/idna.h"
#include "base/octets.h"
#include "queue/store.h"
#include "remote/record_lock.h"

namespace relais::remote {
namespace {

constexpr std::string_view magic = "relais servers 1";
constexpr std::size_t row_size = ServerMemory::record_size * ServerMemory::row_records;
constexpr std::size_t key_size = 16;
// What is seen again sooner is not written again.
constexpr std::int64_t fresh = 3600;

using Record = ServerMemory::Record;
using Row = std::array<Record, ServerMemory::row_records>;
using Key = std::array<unsigned char, key_size>;

std::string_view octets(const Record& record) {
    return {reinterpret_cast<const char*>(record.data()), record.size()};
}

void put(Record& record, std::size_t offset, std::uint64_t number, std::size_t size) {
    put_le(reinterpret_cast<char*>(record.data()) + offset, number, size);
}

std::uint32_t bits_of(const Extensions& offered) {
    std::uint32_t bits = 0;
    for (std::size_t i = 0; i < std::size(extension_keywords); ++i)
        if (offered.*extension_keywords[i].offered) bits |= 1U << i;
    return bits;
}

KnownServer decode(const Record& record) {
    const auto time = [&](std::size_t offset) {
        return static_cast<std::int64_t>(get_le(octets(record), offset, 4));
    };
    KnownServer known{time(16), time(20), time(24), time(28)};
    const std::uint64_t bits = get_le(octets(record), 32, 4);
    for (std::size_t i = 0; i < std::size(extension_keywords); ++i)
        known.extensions.*extension_keywords[i].offered = (bits >> i & 1) != 0;
    known.extensions.size_limit = get_le(octets(record), 36, 8);
    return known;
}

void encode(const KnownServer& known, Record& record) {
    const auto put_time = [&](std::size_t offset, std::int64_t time) {
        put(record, offset, static_cast<std::uint64_t>(time), 4);
    };
    put_time(16, known.encrypted);
    put_time(20, known.failing_since);
    put_time(24, known.failed);
    put_time(28, known.seen);
    put(record, 32, bits_of(known.extensions), 4);
    put(record, 36, known.extensions.size_limit, 8);
}

std::int64_t last_time(const Record& record) {
    const KnownServer known = decode(record);
    return std::max({known.encrypted, known.failed, known.seen});
}

// Below queue/, which is qmailq's and qmails', no link is followed: root opens it too.
Fd open_file(const control::Home& home, int flags) {
    try {
        Fd queue(::open(home.path("queue").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
        if (!queue) return queue;
        Fd file = HeldDirectory(std::move(queue), home.path("queue"))
                      .try_open("lock/servers", flags | O_NOFOLLOW | O_NONBLOCK, 0644);
        struct stat status {};
        // A second name may be that of somebody else's file.
        if (file && (::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode) || status.st_nlink != 1))
            file.reset();
        return file;
    } catch (const Error&) {
        return Fd();
    }
}

}  // namespace

TlsHold tls_hold(const KnownServer& server, Seconds span, std::int64_t now) {
    const std::int64_t age = now - server.encrypted;
    if (server.encrypted == 0 || age < 0 || age >= span.count()) return TlsHold::none;
    const bool failing = server.failing_since > 0 && now >= server.failed &&
                         now - server.failed < tls_grace.count() && now >= server.failing_since;
    return failing && now - server.failing_since >= tls_grace.count() ? TlsHold::given_up : TlsHold::held;
}

struct ServerMemory::Place {
    Key key{};
    off_t begin = 0;
    Row row{};
};

ServerMemory::ServerMemory(Fd fd) : fd_(std::move(fd)) {
    std::array<unsigned char, row_size> head{};
    if (!fd_) return;
    ssize_t size = ::pread(fd_.get(), head.data(), head.size(), 0);
    std::optional<RecordLock> lock;
    if (size < std::ssize(head)) {
        // Another process may be making it, or was killed meanwhile.
        lock.emplace(fd_.get(), F_WRLCK, 0, row_size);
        size = ::pread(fd_.get(), head.data(), head.size(), 0);
    }
    // Nothing but the beginning of a head is written over.
    const std::string_view there(reinterpret_cast<const char*>(head.data()),
                                 static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
    if (size >= 0 && size < std::ssize(head) && magic.starts_with(there.substr(0, magic.size()))) {
        std::copy(magic.begin(), magic.end(), head.begin());
        const bool made = ::getrandom(head.data() + magic.size(), salt_.size(), 0) == std::ssize(salt_) &&
                          ::pwrite(fd_.get(), head.data(), head.size(), 0) == std::ssize(head);
        if (!made) fd_.reset();
    } else if (size != std::ssize(head) || !std::equal(magic.begin(), magic.end(), head.begin())) {
        fd_.reset();
    }
    std::copy_n(head.begin() + magic.size(), salt_.size(), salt_.begin());
}

ServerMemory ServerMemory::open(const control::Home& home) {
    return ServerMemory(open_file(home, O_RDWR | O_CREAT));
}

ServerMemory ServerMemory::open_to_read(const control::Home& home) {
    return ServerMemory(open_file(home, O_RDONLY));
}

void ServerMemory::give_to(uid_t uid, gid_t gid) {
    struct stat status {};
    if (!fd_ || ::fstat(fd_.get(), &status) != 0 || status.st_uid == uid) return;
    // root gives away only what it, or a restored backup, has made: it has our magic.
    const bool is_roots = status.st_nlink == 1 && status.st_uid == 0;
    if (!is_roots || ::fchown(fd_.get(), uid, gid) != 0) fd_.reset();
}

// Where the name's record is or would be.
std::optional<ServerMemory::Place> ServerMemory::place_of(std::string_view name) const {
    if (!fd_) return std::nullopt;
    std::string text(salt_.begin(), salt_.end());
    text += comparable(name);
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    if (EVP_Digest(text.data(), text.size(), digest.data(), nullptr, EVP_sha256(), nullptr) != 1)
        return std::nullopt;
    Place place;
    std::copy_n(digest.begin(), key_size, place.key.begin());
    const std::size_t row = (std::size_t{digest[key_size]} << 8 | digest[key_size + 1]) % rows;
    place.begin = static_cast<off_t>((row + 1) * row_size);
    return place;
}

std::optional<KnownServer> ServerMemory::find(std::string_view name) const {
    auto place = place_of(name);
    // Short where the file ends before: the rest is empty.
    if (!place || ::pread(fd_.get(), place->row.data(), row_size, place->begin) < 0) return std::nullopt;
    for (const Record& record : place->row)
        if (std::equal(place->key.begin(), place->key.end(), record.begin())) return decode(record);
    return std::nullopt;
}

// change: says whether it has changed what it was given.
template <class Change>
void ServerMemory::change(std::string_view name, const Change& change) {
    auto place = place_of(name);
    if (!place) return;
    const RecordLock lock(fd_.get(), F_WRLCK, place->begin, row_size);
    if (::pread(fd_.get(), place->row.data(), row_size, place->begin) < 0) return;
    const auto same = [&](const Record& record) {
        return std::equal(place->key.begin(), place->key.end(), record.begin());
    };
    auto record = std::find_if(place->row.begin(), place->row.end(), same);
    if (record == place->row.end()) {
        record = std::min_element(place->row.begin(), place->row.end(), [](const Record& a, const Record& b) {
            return last_time(a) < last_time(b);
        });
        record->fill(0);
        std::copy(place->key.begin(), place->key.end(), record->begin());
    }
    KnownServer known = decode(*record);
    if (!change(known)) return;
    encode(known, *record);
    const auto index = static_cast<std::size_t>(record - place->row.begin());
    [[maybe_unused]] const ssize_t advice = ::pwrite(fd_.get(), record->data(), record_size,
                                                     place->begin + static_cast<off_t>(index * record_size));
}

void ServerMemory::note_session(std::string_view name, const Extensions& extensions, bool encrypted,
                                std::int64_t now) {
    change(name, [&](KnownServer& known) {
        // After the handshake STARTTLS is not offered.
        const std::uint32_t offered = bits_of(extensions) | (encrypted ? 16U : 0U);
        const bool news = offered != bits_of(known.extensions) ||
                          extensions.size_limit != known.extensions.size_limit || now < known.seen ||
                          now - known.seen >= fresh;
        const bool kept = encrypted && (known.failing_since != 0 || now < known.encrypted ||
                                        now - known.encrypted >= fresh);
        if (!news && !kept) return false;
        known.seen = now;
        known.extensions = extensions;
        known.extensions.starttls = (offered & 16U) != 0;
        if (encrypted) known = {now, 0, 0, now, known.extensions};
        return true;
    });
}

void ServerMemory::note_tls_failure(std::string_view name, std::int64_t now) {
    change(name, [&](KnownServer& known) {
        const bool goes_on = known.failing_since != 0 && known.failing_since <= now && known.failed <= now &&
                             now - known.failed < tls_grace.count();
        if (!goes_on) known.failing_since = now;
        known.failed = now;
        return true;
    });
}

}  // namespace relais::remote
