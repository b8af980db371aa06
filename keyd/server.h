// The confined half of qmail-keyd: many clients, questions of keyd/protocol.h, and the sets of files that the
// other half sends.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/event_loop.h"
#include "base/fd.h"
#include "keyd/key_store.h"
#include "keyd/mail_keys.h"
#include "keyd/ticket_keys.h"

namespace relais::keyd {

// What a request is answered with, or nothing for what is no request ('W' is answered as 'C' is). Never
// throws: trouble is an answer too.
std::optional<std::string> answer(std::string_view request, const KeyStore& store,
                                  TicketKeys& tickets) noexcept;

// The same for a request of keyd/mail_protocol.h. secret: of the tokens; empty: none is good. now: unix
// seconds.
std::optional<std::string> answer_mail(std::string_view request, MailKeys& keys, std::string_view secret,
                                       std::int64_t now) noexcept;

class Server {
  public:
    using Log = std::function<void(const std::string&)>;
    // A stream socket on which one of the two protocols is answered.
    struct Door {
        int listening;
        std::vector<uid_t> clients;  // who may ask
    };
    struct Settings {
        Door tls;
        std::optional<Door> mail{};
        std::string token_secret{};
        std::size_t connections = 4000;
        std::chrono::seconds idle{60};  // a client that asks nothing; not one that watches
    };
    // files: where sets of files come from (files.h); the loop ends when that is closed. Borrows all.
    Server(EventLoop& loop, int files, TicketKeys& tickets, Settings settings, Log log);

  private:
    struct Client {
        Fd fd;
        bool of_mail = false;
        std::string input;
        std::string output;
        bool watches = false;
        bool satisfied = false;  // its last question is answered
        bool in_loop = false;
        EventLoop::TimerId timer = 0;
    };
    void accept_clients(const Door& door);
    void take_client(const Door& door, Fd fd);
    std::optional<std::string> answer_to(const Client& client, std::string_view request);
    void listen(bool open);
    void handle(int fd, std::uint32_t events);
    // False: the client has gone, has all it came for, or speaks another language.
    bool read(Client& client);
    bool take_requests(Client& client);
    bool flush(Client& client);
    void keep(Client client);
    void close(int fd);
    void keep_alive(int fd, Client& client);
    void take_file();
    void commit();

    EventLoop& loop_;
    int files_;
    TicketKeys& tickets_;
    Settings settings_;
    Log log_;
    KeyStore store_;
    MailKeys mail_keys_;
    bool serves_ = false;
    std::unordered_map<int, Client> clients_;
    bool refused_was_logged_ = false;
};

}  // namespace relais::keyd
