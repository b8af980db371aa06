// The engine of open-smtpd: answers opensmtp/protocol.h, one request at a time, and cleans up meanwhile. Long
// work (expire, remove-user) is done a split of the store at a time, between the requests of others.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>

#include "base/event_loop.h"
#include "opensmtp/gate.h"
#include "opensmtp/protocol.h"
#include "opensmtp/store.h"

namespace relais::opensmtp {

// What the store is told, and by whom, without any socket. One writer: entries are read and replaced without
// a lock.
class Keeper {
  public:
    using Clock = std::function<Moment()>;

    Keeper(const control::Home& home, Clock clock);

    // A login, now. The text of the answer says why it opened nothing.
    Answer add(const std::string& address, const std::string& user, const std::string& service);
    Answer import_one(const Request& request);
    Answer remove(const std::string& address);
    // The addresses of one split.
    std::vector<std::string> addresses(unsigned split) const { return store_.addresses(split); }
    // Removes the entry if there is one and drop says so. Nobody can renew it in between.
    bool remove_if(const std::string& address, const std::function<bool(const Entry&)>& drop);
    // Entries that relay no more, for more than that many seconds.
    std::function<bool(const Entry&)> expired(std::int64_t longer);
    // Reads the control files that have changed. Logs what is wrong with them.
    void refresh();
    // From now on they are looked at once between two calls of this, at the first request.
    void begin_turn() {
        in_turns_ = true;
        looked_ = false;
    }

  private:
    const OpenSmtpSettings& settings();
    void log_opening(const Entry& entry, const std::optional<Entry>& before, const Moment& now);

    WatchedOpenSmtpSettings settings_;
    OpenSmtpStore store_;
    StoreWriter writer_;
    Clock clock_;
    std::vector<std::string> wrong_logged_;
    bool in_turns_ = false;
    bool looked_ = false;
};

class OpenSmtpServer {
  public:
    // listener is borrowed. Throws Error when there is no store.
    OpenSmtpServer(EventLoop& loop, int listener, const control::Home& home);

  private:
    struct Connection {
        Fd socket;
        std::string in;
        std::string out;
        EventLoop::TimerId timer = 0;
        Clock::time_point last_exchange;
        std::optional<Request> channel;  // it may only confirm
        bool busy = false;               // a job of its own is under way
        bool ending = false;             // after what is to be written
        bool blocked = false;            // the asker does not read
    };
    // Work over the whole store.
    struct Job {
        std::weak_ptr<Connection> asker;
        std::function<bool(const Entry&)> drop;
        unsigned split = 0;  // the next one
        unsigned end = store_splits;
        std::vector<std::string> addresses = {};  // what is left of the last one
        std::size_t removed = 0;
    };

    void accept_some();
    void take_client(Fd socket);
    void exchange(int fd, std::uint32_t events);
    bool read_requests(Connection& connection);
    void answer_requests(const std::shared_ptr<Connection>& connection);
    std::optional<Answer> answer(const std::shared_ptr<Connection>& connection, std::string_view line);
    Answer confirm(Connection& connection, const Request& request);
    bool write_answers(Connection& connection);
    void finish_exchange(const std::shared_ptr<Connection>& connection);
    bool work_on_jobs();
    void close_if_idle(int fd);
    void close(int fd);
    bool advance(Job& job);
    void clean_one_split();

    EventLoop& loop_;
    int listener_;
    Keeper keeper_;
    std::unordered_map<int, std::shared_ptr<Connection>> connections_;
    std::deque<Job> jobs_;
    Clock::time_point last_slice_;  // when the last piece of a job ended
    unsigned next_split_ = 0;
};

}  // namespace relais::opensmtp
