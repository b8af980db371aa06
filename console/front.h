// The half of qmail-console that speaks with browsers: it parses HTTP, asks the other half
// (console/protocol.h) and writes pages. It has no right to anything but the counters.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/event_loop.h"
#include "base/fd.h"
#include "console/html.h"
#include "console/listeners.h"
#include "console/protocol.h"
#include "console/samples.h"
#include "http/server.h"

namespace relais::console {

// Browsers name the server that they mean. A page of somebody else's whose name leads here by DNS would name
// that, so only these are answered: what is in hosts, and the address itself.
struct FrontSettings {
    std::set<std::string> hosts;  // "mail.example.org:8025", lower case
    // Those of them by which a proxy is called that says itself whose request it is (X-Forwarded-For). What
    // another one hands on there may be the browser's own words.
    std::set<std::string> proxied{};
};
// Takes a line of control/consolehosts: "NAME", or "NAME forwarded". What is wrong with it, or "".
std::string add_host(FrontSettings& settings, std::string_view line);

// Who a client is, for what is counted of each. peer: who has connected, as http::Server says. Where one of
// proxied is named it is the last address that the proxy has added.
std::string client_of(const FrontSettings& settings, std::string_view peer, const http::Request& request);

inline constexpr std::string_view cookie_name = "relais-console";

// Whether that origin, of a request that changes something, is a page of ours.
bool is_own_origin(std::string_view origin, std::string_view host);

class Front {
  public:
    // listening and channel: sockets, borrowed. The loop is stopped when the other half has gone.
    Front(EventLoop& loop, const std::vector<int>& listening, Fd channel, control::Home home,
          FrontSettings settings);
    Front(const Front&) = delete;
    Front& operator=(const Front&) = delete;

  private:
    using Id = http::Server::Id;
    using Answers = std::vector<Answer>;
    using Render = std::function<http::Response(const Answers&)>;
    // A request, on its own.
    struct Visit {
        Id client;
        std::string path;
        http::Form form;  // of the query, or of the body
        std::string session;
        bool live = false;
        bool encrypted = false;  // the browser speaks TLS, with a proxy
    };
    struct Batch {
        Id client;
        Answers answers;
        std::size_t left;
        Render render;
        bool login = false;
    };

    void handle(Id client, const http::Request& request);
    bool is_refused(Id client, const http::Request& request);
    void get(const Visit& visit);
    void post(const Visit& visit);
    void act(const Visit& visit);
    void log_in(const Visit& visit);
    void listen(const Visit& visit);
    void show_list(const Visit& visit);
    // Asks all of it, and sends what render makes of the answers; without a session the page of logins.
    void ask(const Visit& visit, std::vector<Question> questions, Render render);
    Question question(const Visit& visit, Verb verb, Fields arguments) const;
    void on_channel(std::uint32_t events);
    void take(Answer answer);
    void flush();
    void show(Id client, int status, std::string_view title, std::string body);

    EventLoop& loop_;
    Fd channel_;
    FrontSettings settings_;
    Samples samples_;
    std::string input_;
    std::string output_;
    std::uint64_t next_question_ = 1;
    std::map<std::uint64_t, std::pair<std::shared_ptr<Batch>, std::size_t>> asked_;
    std::size_t logins_ = 0;  // of them
    http::Server server_;
    Listeners listeners_;
};

}  // namespace relais::console
