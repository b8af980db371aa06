#include "trace/store.h"

#include <dirent.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/error.h"
#include "base/program.h"
#include "base/text.h"

namespace relais::trace {
namespace {

constexpr std::uint64_t a_day = 86'400;
constexpr std::uint64_t a_second = 1'000'000;
constexpr int patience_ms = 5000;
// A file's size is asked for once in so many records.
constexpr std::size_t records_between_looks = 200;
constexpr std::uint64_t files_of_a_kind = 8;

constexpr const char* schema =
    "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF; PRAGMA temp_store=MEMORY; PRAGMA secure_delete=ON;"
    "CREATE TABLE IF NOT EXISTS event(msg INTEGER, time INTEGER, kind TEXT, data BLOB, PRIMARY KEY(msg, "
    "time))"
    " WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS address(text TEXT, part TEXT, msg INTEGER, PRIMARY KEY(text, part, msg))"
    " WITHOUT ROWID;";

[[noreturn]] void throw_sqlite(sqlite3* database, std::string_view verb) {
    throw Error(Reaction::temporary, "unable to " + std::string(verb) +
                                         " what is remembered of messages (trace/): " +
                                         (database != nullptr ? sqlite3_errmsg(database) : "no memory"));
}

std::string data_of(const Record& record) {
    std::string data;
    for (const auto& [name, value] : record.fields)
        if (name != "msg") data.append(name).append(1, '\0').append(value).append(1, '\0');
    return data;
}

// What a file holds may be damaged: the rest of such data is left out.
Record record_of(std::uint64_t msg, std::uint64_t time, std::string_view kind, std::string_view data) {
    Record record{time, std::string(kind), {{"msg", std::to_string(msg)}}};
    const auto parts = split(data, '\0');
    for (std::size_t i = 0; i + 1 < parts.size() && record.fields.size() < fields_limit; i += 2)
        record.fields.emplace_back(parts[i], parts[i + 1]);
    return record;
}

std::uint64_t size_of(const std::string& path) {
    struct stat info {};
    return ::stat(path.c_str(), &info) == 0 ? static_cast<std::uint64_t>(info.st_size) : 0;
}

std::uint64_t size_of_file(const std::string& path) {
    return size_of(path) + size_of(path + "-wal");
}

void remove_file(const std::string& path) {
    for (const char* part : {"", "-wal", "-shm"})
        if (::unlink((path + part).c_str()) != 0 && errno != ENOENT)
            log_line("warning: unable to remove " + path + part + ": " + errno_text(errno));
}

// When the file was begun, by its name "m-1764510000.db".
std::uint64_t beginning_of(std::string_view path) {
    path.remove_prefix(path.rfind('/') + 1);
    if (path.size() < 6) return 0;
    return parse_number(path.substr(2, path.size() - 5)).value_or(0);
}

}  // namespace

// A statement with its values, good for one use.
class Database::Query {
  public:
    Query(Database& database, const char* text) : database_(database.database_) {
        sqlite3_stmt*& known = database.prepared_[text];
        if (known == nullptr && sqlite3_prepare_v2(database_, text, -1, &known, nullptr) != SQLITE_OK)
            throw_sqlite(database_, "ask for");
        statement_ = known;
    }
    ~Query() {
        sqlite3_reset(statement_);
        sqlite3_clear_bindings(statement_);
    }
    Query(const Query&) = delete;
    Query& operator=(const Query&) = delete;

    // The next value; texts are borrowed until the query ends.
    Query& with(std::uint64_t number) {
        sqlite3_bind_int64(statement_, ++bound_, static_cast<sqlite3_int64>(number));
        return *this;
    }
    Query& with(std::string_view text) {
        sqlite3_bind_text64(statement_, ++bound_, text.data(), text.size(), nullptr, SQLITE_UTF8);
        return *this;
    }
    Query& with_octets(std::string_view octets) {
        sqlite3_bind_blob64(statement_, ++bound_, octets.data(), octets.size(), nullptr);
        return *this;
    }
    // True if there is a row.
    bool step() {
        const int code = sqlite3_step(statement_);
        if (code != SQLITE_ROW && code != SQLITE_DONE) throw_sqlite(database_, "read or write");
        return code == SQLITE_ROW;
    }
    std::uint64_t number(int column) const {
        return static_cast<std::uint64_t>(sqlite3_column_int64(statement_, column));
    }
    std::string_view octets(int column) const {
        const void* data = sqlite3_column_blob(statement_, column);
        return {static_cast<const char*>(data),
                static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
    }

  private:
    sqlite3* database_;
    sqlite3_stmt* statement_ = nullptr;
    int bound_ = 0;
};

Database::Database(const std::string& path, Mode mode) {
    const int flags =
        SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_READWRITE | (mode == Mode::write ? SQLITE_OPEN_CREATE : 0);
    const int code = sqlite3_open_v2(path.c_str(), &database_, flags, nullptr);
    try {
        if (code != SQLITE_OK) throw_sqlite(database_, "open");
        sqlite3_busy_timeout(database_, patience_ms);
        run(mode == Mode::write
                ? schema
                : "PRAGMA temp_store=MEMORY; PRAGMA secure_delete=ON; SELECT msg FROM event LIMIT 1;");
    } catch (const Error&) {
        sqlite3_close(database_);
        throw;
    }
}

Database::~Database() {
    for (const auto& [text, statement] : prepared_) sqlite3_finalize(statement);
    sqlite3_close(database_);
}

void Database::run(const char* text) {
    if (sqlite3_exec(database_, text, nullptr, nullptr, nullptr) != SQLITE_OK)
        throw_sqlite(database_, "write");
}

void Database::begin() {
    run("BEGIN IMMEDIATE");
}

void Database::commit() {
    run("COMMIT");
}

void Database::add_event(std::uint64_t msg, std::uint64_t time, std::string_view kind,
                         std::string_view data) {
    Query(*this, "INSERT OR REPLACE INTO event VALUES(?,?,?,?)")
        .with(msg)
        .with(time)
        .with(kind)
        .with_octets(data)
        .step();
}

void Database::add_address(std::string_view text, char part, std::uint64_t msg) {
    const std::string low = lower(text);
    Query(*this, "INSERT OR IGNORE INTO address VALUES(?,?,?)")
        .with(low)
        .with(std::string_view(&part, 1))
        .with(msg)
        .step();
}

std::vector<Record> Database::events(std::uint64_t msg) {
    Query query(*this, "SELECT time, kind, data FROM event WHERE msg=? ORDER BY time");
    query.with(msg);
    std::vector<Record> records;
    while (query.step()) records.push_back(record_of(msg, query.number(0), query.octets(1), query.octets(2)));
    return records;
}

std::vector<std::uint64_t> Database::find(std::string_view pattern, char part, std::uint64_t since,
                                          std::uint64_t until, std::size_t most) {
    const std::string low = lower(pattern);
    const bool domain = low.starts_with('@');
    Query query(*this,
                domain ? "SELECT DISTINCT msg FROM address WHERE substr(text, -length(?1)) = ?1 AND part=?2"
                         " AND msg BETWEEN ?3 AND ?4 ORDER BY msg DESC LIMIT ?5"
                       : "SELECT msg FROM address WHERE text=?1 AND part=?2 AND msg BETWEEN ?3 AND ?4"
                         " ORDER BY msg DESC LIMIT ?5");
    query.with(low).with(std::string_view(&part, 1)).with(since).with(until).with(most);
    std::vector<std::uint64_t> ids;
    while (query.step()) ids.push_back(query.number(0));
    return ids;
}

std::vector<std::uint64_t> Database::all(std::uint64_t since, std::uint64_t until, std::size_t most) {
    Query query(*this, "SELECT DISTINCT msg FROM event WHERE msg BETWEEN ? AND ? ORDER BY msg DESC LIMIT ?");
    query.with(since).with(until).with(most);
    std::vector<std::uint64_t> ids;
    while (query.step()) ids.push_back(query.number(0));
    return ids;
}

void Database::each(std::uint64_t since, std::uint64_t until,
                    const std::function<bool(const Record&)>& take) {
    Query query(*this,
                "SELECT msg, time, kind, data FROM event WHERE msg BETWEEN ? AND ? ORDER BY msg, time");
    query.with(since).with(until);
    while (query.step())
        if (!take(record_of(query.number(0), query.number(1), query.octets(2), query.octets(3)))) return;
}

std::size_t Database::forget(std::string_view address) {
    const std::string low = lower(address);
    begin();
    std::vector<std::uint64_t> ids;
    {
        Query query(*this, "SELECT DISTINCT msg FROM address WHERE text=?");
        query.with(low);
        while (query.step()) ids.push_back(query.number(0));
    }
    for (const std::uint64_t id : ids) Query(*this, "DELETE FROM event WHERE msg=?").with(id).step();
    Query(*this, "DELETE FROM address WHERE msg IN (SELECT msg FROM address WHERE text=?)").with(low).step();
    commit();
    run("PRAGMA wal_checkpoint(TRUNCATE)");
    return ids.size();
}

bool Database::each(std::string_view kind, std::uint64_t since, std::uint64_t until,
                    const std::function<bool(const Record&)>& use) {
    // The key begins with the message, so that the rest of the file is not read.
    Query query(*this,
                "SELECT msg, time, kind, data FROM event WHERE msg BETWEEN ?1 AND ?2 AND time >= ?3 AND"
                " time < ?2 AND kind = ?4");
    query.with(since - std::min(since, a_day * a_second)).with(until).with(since).with(kind);
    while (query.step())
        if (!use(record_of(query.number(0), query.number(1), query.octets(2), query.octets(3)))) return false;
    return true;
}

std::vector<std::string> files_of(const std::string& directory, char kind) {
    std::vector<std::string> files;
    const std::unique_ptr<DIR, int (*)(DIR*)> open(::opendir(directory.c_str()), &::closedir);
    if (!open) return files;
    while (const dirent* entry = ::readdir(open.get())) {
        const std::string_view name = entry->d_name;
        const bool known = name.starts_with("m-") || name.starts_with("r-");
        if (known && name.ends_with(".db") && (kind == 0 || name.front() == kind))
            files.push_back(directory + "/" + std::string(name));
    }
    std::sort(files.begin(), files.end(),
              [](const std::string& a, const std::string& b) { return beginning_of(a) < beginning_of(b); });
    return files;
}

Store::Store(std::string directory, Limits limits)
    : directory_(std::move(directory)),
      limits_(limits),
      messages_{'m', limits.octets / 4 * 3},
      refusals_{'r', limits.octets / 4} {}

Store::~Store() {
    try {
        commit();
    } catch (const Error& error) {
        log_line(std::string("warning: ") + error.what());
    }
}

void Store::add(const Record& record) {
    // Two events of one message never have the same time.
    last_time_ = std::max(record.time, last_time_ + 1);
    const std::uint64_t known = record.number("msg");
    Kind& kind = known == 0 ? refusals_ : messages_;
    // The client may have been told when it was refused.
    const std::uint64_t msg = known != 0 ? known : record.time != 0 ? record.time : last_time_;
    Database& file = file_for(kind, last_time_);
    if (!kind.open) file.begin();
    kind.open = true;
    file.add_event(msg, last_time_, record.kind, data_of(record));
    for (const auto& [name, value] : record.fields) {
        if (value.empty()) continue;
        if (name == "sender") file.add_address(value, 'f', msg);
        if (name == "rcpt") file.add_address(value, 't', msg);
        if (name == "session") file.add_address(value, 's', msg);
    }
}

void Store::commit() {
    for (Kind* kind : {&messages_, &refusals_}) {
        if (!kind->open) continue;
        kind->open = false;
        kind->file->commit();
    }
}

Database& Store::file_for(Kind& kind, std::uint64_t time) {
    const bool look = ++kind.since_look >= records_between_looks;
    if (look) kind.since_look = 0;
    if (!kind.file || kind.day != time / a_second / a_day ||
        (look && size_of_file(kind.path) > kind.octets / files_of_a_kind))
        begin_file(kind, time);
    return *kind.file;
}

void Store::begin_file(Kind& kind, std::uint64_t time) {
    commit();
    const bool first = kind.path.empty();
    kind.file.reset();
    const std::uint64_t now = time / a_second;
    make_room(kind, now);
    const auto files = files_of(directory_, kind.letter);
    // After a restart the last file goes on.
    const bool goes_on = first && !files.empty() && beginning_of(files.back()) / a_day == now / a_day &&
                         size_of_file(files.back()) <= kind.octets / files_of_a_kind;
    kind.day = now / a_day;
    kind.path = goes_on ? files.back() : directory_ + "/" + kind.letter + "-" + std::to_string(now) + ".db";
    try {
        kind.file = std::make_unique<Database>(kind.path, Database::Mode::write);
    } catch (const Error& error) {
        log_line(std::string("warning: ") + error.what() + "; it is begun anew");
        remove_file(kind.path);
        kind.file = std::make_unique<Database>(kind.path, Database::Mode::write);
    }
}

void Store::make_room(const Kind& kind, std::uint64_t now) {
    auto files = files_of(directory_, kind.letter);
    std::uint64_t octets = kind.octets / files_of_a_kind;  // of the next one
    std::size_t kept = files.size();
    while (kept > 0) {
        octets += size_of_file(files[kept - 1]);
        if (octets > kind.octets || beginning_of(files[kept - 1]) + (limits_.days + 1) * a_day < now) break;
        --kept;
    }
    for (std::size_t i = 0; i < kept; ++i) remove_file(files[i]);
}

}  // namespace relais::trace
