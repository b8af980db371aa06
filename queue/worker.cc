#include "queue/worker.h"

#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <memory>
#include <new>

#include "base/error.h"
#include "base/octets.h"
#include "base/program.h"
#include "metrics/count.h"
#include "queue/refusal.h"

namespace relais::queue {
namespace {

constexpr Seconds small_patience{60};
constexpr std::chrono::hours large_patience{24};
// A sender of ours that goes silent for longer than SMTP's own timeouts is not going to finish.
constexpr std::chrono::hours network_idle{1};

volatile sig_atomic_t serving = 0;
volatile sig_atomic_t ending = 0;

// Between two submissions there is nothing to finish, and accept would wait for ever.
void end_soon(int) {
    if (serving == 0) ::_exit(0);
    ending = 1;
}

void send_answer(int connection, const SubmitAnswer& answer) {
    const std::string octets = encode_answer(answer);
    // It fits the socket's buffer; a client that has gone needs none.
    [[maybe_unused]] const ssize_t sent =
        ::send(connection, octets.data(), octets.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

// A value of queue.taken (metrics/table.h).
std::string_view name_of(Door door) {
    switch (door) {
        case Door::network:
            return "network";
        case Door::bounce:
            return "bounce";
        case Door::submit:
            break;
    }
    return "local";
}

class Connection {
  public:
    Connection(const Service& service, std::size_t slot, Door door, int socket, std::span<char> buffer,
               std::size_t received, bool only_one, DiskFloor& floor)
        : service_(service),
          floor_(floor),
          slot_(slot),
          door_(door),
          socket_(socket),
          only_one_(only_one),
          input_(socket, buffer, received) {}

    // Takes the header and looks at the peer. False if there is nothing more to do (a refusal was sent).
    bool open() {
        peer_ = peer_of(socket_);
        if (!may_enter(service_.owners, door_, peer_)) {
            log_line("warning: uid " + std::to_string(peer_.uid) + " is not welcome at this socket");
            send_answer(socket_, {SubmitCode::connect_refused, 0, {}});
            return false;
        }
        const auto state = input_.read_header(header_, Deadline::in(small_patience));
        if (state == FrameReader::Input::malformed) send_answer(socket_, {SubmitCode::bug, 0, {}});
        if (state == FrameReader::Input::more && header_.question)
            send_answer(socket_, {SubmitCode::accepted, 0, {}});
        if (state != FrameReader::Input::more || header_.question) return false;
        if (!no_room()) return true;
        metrics::count("queue.refused", door_ == Door::network ? "82" : "53");
        // Who calls qmail-queue knows its exit code for a full disk.
        if (door_ == Door::network)
            refuse(socket_, SubmitCode::custom, disk_floor_answer);
        else
            refuse(socket_, SubmitCode::write_error);
        return false;
    }

    bool large() const { return header_.large; }
    std::string_view received() const { return input_.received(); }

    void take_message() {
        const Caller caller = caller_of(service_.owners, door_, peer_, header_.named_by_pid);
        SubmitAnswer answer;
        {
            MessageWriter writer(service_.directories, service_.ledger, slot_, only_one_);
            answer =
                receive(input_, caller, writer, patience(), header_.extended, [this] { return no_room(); });
        }
        if (answer.code == SubmitCode::accepted)
            metrics::count("queue.taken", name_of(door_));
        else
            metrics::count("queue.refused", std::to_string(static_cast<int>(answer.code)));
        if (answer.code == SubmitCode::accepted) send_hint(service_.hint_pipe, answer.id);
        send_answer(socket_, answer);
    }

  private:
    bool no_room() const { return floor_.reached(service_.directories.fd(0), door_ == Door::bounce); }
    Patience patience() const {
        if (!header_.large) return {Deadline::in(small_patience), small_patience};
        return {Deadline::in(large_patience), door_ == Door::submit ? large_patience : network_idle};
    }

    const Service& service_;
    DiskFloor& floor_;
    const std::size_t slot_;
    const Door door_;
    const int socket_;
    const bool only_one_;
    FrameReader input_;
    FrameReader::Header header_;
    Peer peer_{};
};

// Whatever goes wrong with one connection, the next one is served.
template <class Work>
void guarded(int connection, const Work& work) {
    try {
        work();
    } catch (const std::bad_alloc&) {
        send_answer(connection, {SubmitCode::out_of_memory, 0, {}});
    } catch (const std::exception& error) {
        log_line(std::string("warning: ") + error.what());
        send_answer(connection, {SubmitCode::refused_for_now, 0, {}});
    }
}

void serve_from_pool(const Service& service, std::size_t slot, Door door, int connection, int handover,
                     std::span<char> buffer, DiskFloor& floor) {
    guarded(connection, [&] {
        Connection session(service, slot, door, connection, buffer, 0, false, floor);
        if (!session.open()) return;
        if (session.large())
            send_packet(handover, encode_handover({door, session.received()}), connection);
        else
            session.take_message();
    });
}

void on_sigterm() {
    struct sigaction action {};
    action.sa_handler = &end_soon;
    ::sigaction(SIGTERM, &action, nullptr);
}

}  // namespace

void send_hint(int pipe, MessageId id) {
    char octets[8];
    put_le(octets, id, sizeof octets);
    [[maybe_unused]] const ssize_t written = ::write(pipe, octets, sizeof octets);
}

std::string encode_handover(const Handover& handover) {
    return std::string(1, static_cast<char>(handover.door)).append(handover.received);
}

std::optional<Handover> decode_handover(std::string_view packet) {
    if (packet.empty()) return std::nullopt;
    const auto door = static_cast<Door>(packet.front());
    if (door != Door::network && door != Door::bounce) return std::nullopt;
    return Handover{door, packet.substr(1)};
}

void run_pool_worker(const Service& service, std::size_t slot, Door door, int listener, int handover) {
    on_sigterm();
    DiskFloor floor(service.home);
    // Not zeroed: most of it is never touched.
    const auto memory = std::make_unique_for_overwrite<char[]>(receive_buffer_size);
    for (;;) {
        serving = 0;
        if (ending != 0) ::_exit(0);
        const Fd connection(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
        serving = 1;
        if (connection) {
            serve_from_pool(service, slot, door, connection.get(), handover,
                            {memory.get(), receive_buffer_size}, floor);
        } else if (errno != EINTR && errno != ECONNABORTED) {
            log_line("warning: unable to accept a connection: " + errno_text(errno));
            ::sleep(1);
        }
    }
}

void serve_alone(const Service& service, std::size_t slot, Door door, int connection,
                 std::string_view received) {
    serving = 1;
    on_sigterm();
    const auto memory = std::make_unique_for_overwrite<char[]>(receive_buffer_size);
    DiskFloor floor(service.home);
    received.copy(memory.get(), received.size());
    guarded(connection, [&] {
        Connection session(service, slot, door, connection, {memory.get(), receive_buffer_size},
                           received.size(), true, floor);
        if (session.open()) session.take_message();
    });
}

}  // namespace relais::queue
