#include "remote/worker.h"

#include <poll.h>

#include <array>

#include "base/error.h"
#include "base/process_title.h"
#include "base/unix_socket.h"
#include "remote/delivery.h"
#include "remote/interruption.h"

namespace relais::remote {
namespace {

class Worker {
  public:
    Worker(const control::Home& home, SettingsFiles& settings, TimeoutTable& timeouts, SharedMemory& memory,
           int channel)
        : resolver_(home), delivery_(home, settings, resolver_, timeouts, memory), channel_(channel) {}

    void run() {
        set_process_title("qmail-remote", {"idle"});
        for (;;) {
            if (!wait_for_order()) continue;
            auto packet = receive_packet(channel_, send::packet_limit);
            // No room of a Secret where there is none: its locking and guard pages cost more than the order.
            Secret password;
            if (packet && packet->data.starts_with(password_mark)) {
                password = Secret(std::string_view(packet->data).substr(password_mark.size()));
                wipe(packet->data);
                packet = receive_packet(channel_, send::packet_limit);
            }
            if (!packet) return;
            serve(*packet, password);
        }
    }

  private:
    // True if the channel has something. A connection that has spoken or closed meanwhile is given up.
    bool wait_for_order() {
        std::array<pollfd, 2> entries = {{{channel_, POLLIN, 0}, {-1, POLLIN, 0}}};
        Deadline deadline = Deadline::never();
        if (delivery_.connected()) {
            entries[1].fd = delivery_.fd();
            deadline = Deadline(idle_since_ + delivery_.idle_time());
        }
        const int ready = ::poll(entries.data(), entries.size(), deadline.milliseconds());
        if (ready < 0 && errno != EINTR) throw_errno("wait for", "an order");
        if (ready == 0) delivery_.close();
        if (ready > 0 && entries[1].revents != 0) delivery_.close_if_gone();
        return ready > 0 && entries[0].revents != 0;
    }

    void serve(const Packet& packet, const Secret& password) {
        const auto order = send::decode_remote_order(packet.data);
        if (!order) throw Error(Reaction::bug, "an order that cannot be read");
        show(*order);
        const auto begin = Clock::now();
        Message message(packet.passed.get(), 0, order->message_size);
        const Result result = deliver(*order, password, message);
        send::Report report = to_report(result, order->recipients.size());
        report.delivery = order->delivery;
        const auto span = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin).count();
        report.milliseconds = static_cast<std::uint32_t>(std::min<std::int64_t>(span, 0xffffffff));
        idle_since_ = Clock::now();
        send_packet(channel_, send::encode(report));
        set_process_title("qmail-remote", {"idle"});
    }

    Result deliver(const send::RemoteOrder& order, const Secret& password, Message& message) {
        const Interruption interruption(channel_, order.delivery, order.recipients.size());
        return delivery_.deliver(
            {order.host, order.sender, order.recipients, order.connection_messages, order.crowded,
             order.options, order.recipient_options, order.signing, &password},
            message);
    }

    // ps(1) shows the delivery as if it were qmail-remote by hand.
    static void show(const send::RemoteOrder& order) {
        std::vector<std::string_view> arguments = {order.host, order.sender};
        arguments.insert(arguments.end(), order.recipients.begin(), order.recipients.end());
        set_process_title_with_addresses("qmail-remote", arguments);
    }

    net::Resolver resolver_;
    Delivery delivery_;
    int channel_;
    Clock::time_point idle_since_{};
};

}  // namespace

void serve_orders(const control::Home& home, SettingsFiles& settings, TimeoutTable& timeouts,
                  SharedMemory& memory, int channel) {
    Worker(home, settings, timeouts, memory, channel).run();
}

}  // namespace relais::remote
