#include "remote/login_memory.h"

#include <sched.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <functional>

namespace relais::remote {
namespace {

constexpr std::size_t records = 256;
constexpr std::chrono::minutes first_rest{5};
constexpr std::chrono::minutes longest_rest{60};
// Who takes longer to find out holds nobody else up.
constexpr std::int64_t busy_limit = 60;
// What a server could not do may be mended some day.
constexpr std::int64_t first_lifetime = 86400;
// A holder of a lock is done within a microsecond; one that has not after so many looks is dead.
constexpr int lock_patience = 2000;

}  // namespace

// Plain words under a lock. Its holder touches nothing but the record, so that a record of a dead one is at
// worst half written.
struct LoginMemory::Record {
    std::atomic<std::uint32_t> lock;
    std::uint64_t key;
    std::int64_t time;
    std::int64_t busy_since;
    std::uint64_t refusals;    // in a row
    std::uint64_t known_good;  // the last answer was yes
    std::uint64_t first;       // a mechanism's number, and one; 0: by the usual order

    class Hold {
      public:
        explicit Hold(Record& record) : record_(record) {
            std::uint32_t open = 0;
            for (int i = 0; i < lock_patience; ++i, open = 0) {
                if (record_.lock.compare_exchange_weak(open, 1, std::memory_order_acquire)) return;
                ::sched_yield();
            }
        }
        ~Hold() { record_.lock.store(0, std::memory_order_release); }
        Hold(const Hold&) = delete;
        Hold& operator=(const Hold&) = delete;

      private:
        Record& record_;
    };

    // Makes it the login's, as one of which nothing is known if it was another's.
    void belong_to(std::uint64_t wanted) {
        if (key == wanted) return;
        key = wanted;
        time = busy_since = 0;
        refusals = known_good = first = 0;
    }
};

struct LoginMemory::Table {
    std::array<Record, records> all;

    Record& of(std::uint64_t key) { return all[key % records]; }
};

namespace {

std::uint64_t key_of(std::string_view login) {
    return std::hash<std::string_view>()(login);
}

}  // namespace

// The kernel's zeros are the table's beginning.
LoginMemory::LoginMemory() {
    void* const memory =
        ::mmap(nullptr, sizeof(Table), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory != MAP_FAILED) table_ = static_cast<Table*>(memory);
}

LoginMemory::~LoginMemory() {
    if (table_ != nullptr) ::munmap(table_, sizeof(Table));
}

std::chrono::seconds LoginMemory::rest(std::uint64_t refusals) {
    if (refusals == 0) return std::chrono::seconds(0);
    const std::uint64_t doublings = std::min<std::uint64_t>(refusals - 1, 10);
    return std::min<std::chrono::seconds>(first_rest * (1 << doublings), longest_rest);
}

LoginMemory::Admission LoginMemory::admit(std::string_view login, std::int64_t now) {
    if (table_ == nullptr) return {};
    Record& record = table_->of(key_of(login));
    const Record::Hold hold(record);
    record.belong_to(key_of(login));
    Admission admission;
    if (record.first != 0 && now - record.time < first_lifetime)
        admission.first = static_cast<sasl::Mechanism>(record.first - 1);
    if (record.known_good != 0) return admission;
    // A clock that was set back must not make a login rest for longer.
    const std::int64_t until = record.time + rest(record.refusals).count();
    if (record.refusals > 0 && now >= record.time && now < until)
        return {State::resting, record.time, until, {}};
    if (now >= record.busy_since && now - record.busy_since < busy_limit) return {State::busy, 0, 0, {}};
    record.busy_since = now;
    return admission;
}

void LoginMemory::note_accepted(std::string_view login, std::optional<sasl::Mechanism> first,
                                std::int64_t now) {
    if (table_ == nullptr) return;
    Record& record = table_->of(key_of(login));
    const Record::Hold hold(record);
    record.belong_to(key_of(login));
    record.busy_since = 0;
    record.refusals = 0;
    record.known_good = 1;
    if (!first) return;
    record.first = static_cast<std::uint64_t>(*first) + 1;
    record.time = now;
}

void LoginMemory::note_refused(std::string_view login, std::int64_t now) {
    if (table_ == nullptr) return;
    Record& record = table_->of(key_of(login));
    const Record::Hold hold(record);
    record.belong_to(key_of(login));
    // Those who tried while it still was good count as one.
    const bool counted =
        record.refusals > 0 && now >= record.time && now < record.time + rest(record.refusals).count();
    if (!counted) {
        ++record.refusals;
        record.time = now;
    }
    record.busy_since = 0;
    record.known_good = 0;
    record.first = 0;
}

void LoginMemory::note_nothing(std::string_view login) {
    if (table_ == nullptr) return;
    Record& record = table_->of(key_of(login));
    const Record::Hold hold(record);
    if (record.key == key_of(login)) record.busy_since = 0;
}

}  // namespace relais::remote
