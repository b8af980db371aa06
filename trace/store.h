// What qmail-traced remembers, in files of SQLite below trace/: of messages m-TIME.db, of refusals
// r-TIME.db, where TIME is when a file was begun, in seconds. A file takes a day, or an eighth of its kind's
// room; the oldest one goes when the days or the room are over, as a whole. Refusals have a quarter of the
// room, so that strangers push out refusals alone.
//
//   event    msg, time, kind, data     data: name NUL value NUL ...; the key is msg and time
//   address  text, part, msg           part: 'f' sender, 't' recipient, 's' session; lower case
//
// A refusal has no message: its msg is its own time. Nothing is synced: after a power cut the last seconds
// are missing, or a file is damaged and left out.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/home.h"
#include "trace/protocol.h"

struct sqlite3;
struct sqlite3_stmt;

namespace relais::trace {

struct Limits {
    std::uint64_t days = 14;
    std::uint64_t octets = std::uint64_t{1} << 30;
    // control/keeptrace: "14 1G". What cannot be read is as above; nothing without a file.
    static std::optional<Limits> read(const control::Home& home);
    static std::optional<Limits> parse(std::string_view line);
};

// One file. Throws Error for what SQLite says.
class Database {
  public:
    enum class Mode { write, read };
    Database(const std::string& path, Mode mode);
    ~Database();
    Database(const Database&) = delete;
    Database& operator=(const Database&) = delete;

    void begin();
    void commit();
    void add_event(std::uint64_t msg, std::uint64_t time, std::string_view kind, std::string_view data);
    void add_address(std::string_view text, char part, std::uint64_t msg);

    std::vector<Record> events(std::uint64_t msg);
    // Ids from since to until, the newest first, most of them. pattern: an address, or "@domain".
    std::vector<std::uint64_t> find(std::string_view pattern, char part, std::uint64_t since,
                                    std::uint64_t until, std::size_t most);
    // The same of all messages.
    std::vector<std::uint64_t> all(std::uint64_t since, std::uint64_t until, std::size_t most);
    // Each event of messages from since to until, message by message in order, until take says false.
    void each(std::uint64_t since, std::uint64_t until, const std::function<bool(const Record&)>& take);
    // Takes out all messages of that address; how many there were. What they held is overwritten.
    std::size_t forget(std::string_view address);
    // Shows each event of that kind from since to before until, of messages that began a day before at most.
    // False if use has had enough.
    bool each(std::string_view kind, std::uint64_t since, std::uint64_t until,
              const std::function<bool(const Record&)>& use);

  private:
    class Query;
    void run(const char* text);

    sqlite3* database_ = nullptr;
    std::map<std::string, sqlite3_stmt*, std::less<>> prepared_;
};

// The writer's side.
class Store {
  public:
    Store(std::string directory, Limits limits);
    ~Store();

    // Throws Error.
    void add(const Record& record);
    // What has been added is seen by readers.
    void commit();

  private:
    struct Kind {
        char letter;
        std::uint64_t octets;  // its room
        std::unique_ptr<Database> file{};
        std::string path{};
        std::uint64_t day = 0;
        bool open = false;           // a transaction
        std::size_t since_look = 0;  // records since its size was last looked at
    };
    Database& file_for(Kind& kind, std::uint64_t time);
    void begin_file(Kind& kind, std::uint64_t time);
    void make_room(const Kind& kind, std::uint64_t now);

    std::string directory_;
    Limits limits_;
    Kind messages_;
    Kind refusals_;
    std::uint64_t last_time_ = 0;
};

// The files of a kind ('m', 'r'), or of both (0), oldest first.
std::vector<std::string> files_of(const std::string& directory, char kind);

}  // namespace relais::trace
