#include "listen/acceptor.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cstdlib>
#include <optional>

#include "base/accept.h"
#include "base/error.h"
#include "base/path.h"
#include "base/process_title.h"
#include "base/program.h"
#include "control/directory_watch.h"
#include "listen/filter_runner.h"
#include "listen/keeper.h"
#include "listen/places.h"
#include "listen/processes.h"
#include "listen/proxy_room.h"
#include "listen/send_line.h"
#include "listen/session_process.h"
#include "listen/waiting_room.h"
#include "listen/watched_rules.h"

namespace relais::listen {
namespace {

// So many before other events get their turn.
// After so long another acceptor is executed, when nobody is here: session processes get a fresh address
// layout.
constexpr std::chrono::hours family_lifetime{1};
constexpr std::chrono::minutes family_patience{1};
// A proxy sends its header at once, in one packet.
constexpr std::chrono::seconds header_patience{10};

// What is wrong with the files that the work reads, if anything.
template <class Work>
std::optional<std::string> attempt(Work work) {
    try {
        work();
        return std::nullopt;
    } catch (const Error& error) {
        return error.what();
    }
}

class Acceptor {
  public:
    Acceptor(Service& service, const Options& options)
        : service_(service),
          options_(options),
          program_variable_(service.program_variable()),
          program_of_environment_(environment(program_variable_.c_str(), "")),
          directories_(watched_directories(service, options)),
          places_(options.connection_limit),
          processes_(loop_, {},
                     {[this](int channel) { return run_session_process(service_, channel); },
                      [this](const std::string& ip) { places_.release(ip); },
                      [this](pid_t pid, const std::string& ip, int number) { crashed(pid, ip, number); }}),
          proxies_(
              loop_, [this](ProxyRoom::Introduced client) { introduce_client(std::move(client)); },
              [this](const net::Endpoint& proxy, std::string_view what) {
                  service_.refuse(proxy, Refusal::not_introduced, what);
              }),
          quiet_(
              loop_, [this](WaitingRoom::Client client) { hand_over(std::move(client)); },
              [this](const WaitingRoom::Client& client) { places_.release(client.visitor.peer.ip); },
              [this](WaitingRoom::Client client) { greet(std::move(client)); }),
          greeted_(
              loop_, [this](WaitingRoom::Client client) { hand_over(std::move(client)); },
              [this](const WaitingRoom::Client& client) { places_.release(client.visitor.peer.ip); },
              [this](const WaitingRoom::Client& client) { turn_away(client, Refusal::silent); }) {
        if (options.rules) rules_.emplace(*options.rules);
        service_.reload();
        for (std::size_t i = 0; i < options.sockets.size(); ++i) {
            const int socket = options.sockets[i];
            const bool proxied = options.places[i].proxied;
            set_close_on_exec(socket, true);
            loop_.add(socket, EPOLLIN,
                      [this, socket, proxied](std::uint32_t) { accept_some(socket, proxied); });
        }
        // Sessions run nothing.
        ::unsetenv(program_variable_.c_str());
        if (options.filters >= 0) {
            set_close_on_exec(options.filters, true);
            set_nonblocking(options.filters, true);
        }
        service_.watch(loop_, [this] { processes_.outdate(); });
        loop_.on_signal(SIGTERM, [this] { loop_.stop(); });
        loop_.on_signal(SIGHUP, [this] {
            service_.reload();
            processes_.outdate();
        });
        loop_.after(family_lifetime, [this] { end_family(); });
    }

    int run() {
        if (const auto trouble = read_rules()) log_line(*trouble);
        service_.confine(rules_directories());
        loop_.run();
        // Whoever has been greeted is served to its end, by processes that wait for its first word.
        while (quiet_.count() > 0) hand_over(quiet_.take_any());
        while (greeted_.count() > 0) hand_over(greeted_.take_any());
        return exit_code_;
    }

  private:
    static std::vector<std::string> watched_directories(const Service& service, const Options& options) {
        std::vector<std::string> all = service.directories();
        if (options.rules) all.push_back(directory_of(*options.rules));
        return all;
    }

    std::vector<std::string> rules_directories() const {
        return options_.rules ? std::vector{directory_of(*options_.rules)} : std::vector<std::string>();
    }

    void stop(int exit_code) {
        exit_code_ = exit_code;
        loop_.stop();
    }

    void end_family() {
        if (places_.taken() == 0) return stop(acceptor_wants_restart);
        loop_.after(family_patience, [this] { end_family(); });
    }

    std::optional<std::string> read_rules() {
        return attempt([this] {
            if (rules_) rules_->get();
        });
    }

    void accept_some(int socket, bool proxied) {
        for (int i = 0; i < accepts_at_once; ++i) {
            directories_.look();
            std::optional<std::string> trouble = read_rules();
            net::SocketAddress peer;
            Fd connection(::accept4(socket, peer.get(), &peer.size, SOCK_CLOEXEC));
            if (!connection) {
                if (errno == EAGAIN) return;
                if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
                    return rest(socket);
                continue;  // the client has left again
            }
            // Once more: what changed before this client came counts for it.
            directories_.look();
            if (!trouble) trouble = attempt([this] { refresh(); });
            if (proxied && !trouble)
                admit_proxy(std::move(connection), net::to_endpoint(peer));
            else
                admit({std::move(connection), {net::to_endpoint(peer), {}, Beginning::tls}}, trouble);
        }
    }

    // Its client has no place yet: so many may be on their way.
    void admit_proxy(Fd connection, const net::Endpoint& proxy) {
        if (!service_.is_proxy(proxy.ip))
            return refuse(connection.get(), proxy, Refusal::not_a_proxy,
                          "control/proxyhosts does not list it");
        if (proxies_.count() >= options_.connection_limit)
            return refuse(connection.get(), proxy, Refusal::too_many);
        if (const auto trouble =
                attempt([&] { proxies_.add(std::move(connection), proxy, header_patience); }))
            log_line(*trouble);
    }

    void introduce_client(ProxyRoom::Introduced introduced) {
        WaitingRoom::Client client{std::move(introduced.connection), {introduced.proxy, {}, Beginning::tls}};
        client.visitor.nameless = !introduced.client;
        if (introduced.client) {
            client.visitor.peer = introduced.client->client;
            client.visitor.local = introduced.client->local;
        }
        // What changed since the proxy came counts too.
        directories_.look();
        std::optional<std::string> trouble = read_rules();
        if (!trouble) trouble = attempt([this] { refresh(); });
        admit(std::move(client), trouble);
    }

    void refresh() {
        if (service_.refresh()) processes_.outdate();
    }

    // No descriptor left, or no memory: the clients wait in the backlog meanwhile.
    void rest(int socket) {
        log_line("unable to accept: " + errno_text(errno));
        loop_.change(socket, 0);
        loop_.after(std::chrono::seconds(1), [this, socket] { loop_.change(socket, EPOLLIN); });
    }

    void admit(WaitingRoom::Client client, std::optional<std::string> trouble) {
        const int connection = client.connection.get();
        const net::Endpoint& peer = client.visitor.peer;
        if (places_.full()) processes_.look_again();
        if (places_.full()) return refuse(connection, peer, Refusal::too_many);
        tcprules::Decision decision;
        // The rule of a proxy's own address is not its clients'.
        if (!trouble && rules_ && !client.visitor.nameless)
            trouble = attempt([&] {
                decision = rules_->last().look_up({peer.ip, std::nullopt, std::nullopt});
            });
        if (trouble) {
            log_line(*trouble);
            return refuse(connection, peer, Refusal::our_trouble);
        }
        if (!decision.allow) return refuse(connection, peer, Refusal::denied);
        const Service::Limit limit = limit_of_one(decision.variables);
        if (places_.full_for(peer.ip, limit.clients)) processes_.look_again();
        if (places_.full_for(peer.ip, limit.clients))
            return refuse(connection, peer, Refusal::too_many_from_address,
                          std::to_string(limit.clients) + " at once, set by " + limit.source);
        client.visitor.rule = std::move(decision.variables);
        welcome(std::move(client));
    }

    // A rule of its own, the option, or what the service says.
    Service::Limit limit_of_one(const Variables& rule) const {
        Service::Limit limit = service_.limit_of_one(rule, options_.connection_limit);
        if (options_.address_limit > 0 && limit.source != rule_limit)
            limit = {options_.address_limit, "--per-ip"};
        return limit;
    }

    // Whoever does not take it does without.
    void refuse(int connection, const net::Endpoint& peer, Refusal why, std::string_view detail = "") {
        const std::string reply = service_.refuse(peer, why, detail);
        if (!reply.empty()) send_line(connection, reply);
    }

    // One that had a place.
    void turn_away(const WaitingRoom::Client& client, Refusal why) {
        refuse(client.connection.get(), client.visitor.peer, why);
        places_.release(client.visitor.peer.ip);
    }

    void welcome(WaitingRoom::Client client) {
        const int socket = client.connection.get();
        if (client.visitor.local.ip.empty())
            if (const auto trouble = attempt([&] { client.visitor.local = net::local_endpoint(socket); }))
                return log_line(*trouble);
        const std::string ip = client.visitor.peer.ip;
        const auto delay = service_.greeting_delay(client.visitor.rule);
        places_.take(ip);
        if (options_.tls || delay.count() == 0) return greet(std::move(client));
        // Its session notices by itself that it has spoken.
        client.visitor.beginning = Beginning::greeting;
        if (const auto trouble = attempt([&] { quiet_.add(std::move(client), delay); })) {
            log_line(*trouble);
            places_.release(ip);
        }
    }

    // It has a place.
    void greet(WaitingRoom::Client client) {
        const std::string ip = client.visitor.peer.ip;
        if (!options_.tls) client.visitor.beginning = say_greeting(client.connection.get());
        // Such a client says nothing before it has been greeted.
        if (client.visitor.beginning == Beginning::greeting) return hand_over(std::move(client));
        processes_.expect(client.visitor, reuse(client.visitor));
        const auto trouble =
            attempt([&] { greeted_.add(std::move(client), service_.patience(places_.scarce())); });
        if (!trouble) return hurry();
        log_line(*trouble);
        places_.release(ip);
    }

    // Those that have been greeted before get no more time than those that come now.
    void hurry() {
        if (!places_.scarce()) return;
        greeted_.shorten(service_.patience(true));
        if (!std::exchange(hurry_planned_, true))
            loop_.after(std::chrono::seconds(1), [this] {
                hurry_planned_ = false;
                hurry();
            });
    }

    // The client hears the greeting before it has a process: while it answers, one comes to life. Nothing
    // else is said here, for nothing that a client sends is read in this process.
    Beginning say_greeting(int connection) {
        return send_line(connection, service_.greeting()) ? Beginning::greeted : Beginning::greeting;
    }

    bool has_filter(const Visitor& visitor) const {
        return !program_named(program_variable_, visitor.rule, program_of_environment_).empty();
    }
    // Whose mail goes through foreign code has a process for himself.
    Reuse reuse(const Visitor& visitor) const { return has_filter(visitor) ? Reuse::off : service_.reuse(); }

    void hand_over(WaitingRoom::Client client) {
        client.visitor.note = service_.note();
        client.visitor.in_a_crowd = places_.scarce();
        Fd filters;
        const auto trouble = attempt([&] {
            if (has_filter(client.visitor))
                filters = introduce(options_.filters, client.visitor, service_.local_name());
        });
        if (!trouble && processes_.hand_over(client.connection.get(), client.visitor, reuse(client.visitor),
                                             filters.get()))
            return;
        log_line(trouble.value_or("unable to fork: " + errno_text(errno)));
        turn_away(client, Refusal::our_trouble);
    }

    void crashed(pid_t pid, const std::string& ip, int signal_number) {
        log_line("child " + std::to_string(pid) + (ip.empty() ? "" : " serving " + ip) + " died by signal " +
                 std::to_string(signal_number));
        stop(acceptor_saw_crash);
    }

    EventLoop loop_;
    Service& service_;
    const Options& options_;
    const std::string program_variable_;
    const std::string program_of_environment_;
    control::DirectoryWatch directories_;
    std::optional<WatchedRules> rules_;
    Places places_;
    Processes processes_;
    ProxyRoom proxies_;  // whose connections are not known yet
    WaitingRoom quiet_;  // not greeted yet (greetdelay)
    WaitingRoom greeted_;
    bool hurry_planned_ = false;
    int exit_code_ = 0;
};

}  // namespace

int run_acceptor(Service& service, const Options& options) {
    // execve from /proc/self/exe has named it "exe".
    set_process_name(service.name());
    ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    // A descriptor for each client that has been greeted, and for each session process.
    raise_descriptor_limit(SIZE_MAX);
    // Session processes inherit them, and have their clients elsewhere.
    const Fd nowhere(::open("/dev/null", O_RDWR | O_CLOEXEC));
    if (!nowhere || ::dup2(nowhere.get(), STDIN_FILENO) < 0 || ::dup2(nowhere.get(), STDOUT_FILENO) < 0)
        throw_errno("open", "/dev/null");
    return Acceptor(service, options).run();
}

}  // namespace relais::listen
