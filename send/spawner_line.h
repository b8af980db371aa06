// A spawner's end of its channel to qmail-send, whichever qmail-send there is (send/delivery_protocol.h): it
// takes orders until the spawner retires, tells an heir what is under way, and keeps each report until it has
// been taken.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "base/event_loop.h"
#include "base/fd.h"
#include "base/packet_batch.h"
#include "base/packet_queue.h"
#include "send/delivery_protocol.h"

namespace relais::send {

class SpawnerLine {
  public:
    struct Calls {
        std::function<void()> before_orders;  // some have come together
        std::function<void(PacketReader::Packet packet)> order;
        std::function<void()> retire;  // once; no order comes after it
        std::function<void(std::uint64_t delivery)> cut;
    };
    struct Limits {
        std::size_t packet;
        std::size_t packets_at_once;
    };
    // heirs: the listening socket by which another qmail-send asks. Where it is none, an older qmail-start
    // has put the instance lock there: nobody will ask, and who holds it keeps a new qmail-send away until
    // all deliveries have ended.
    SpawnerLine(EventLoop& loop, Fd channel, Fd heirs, Limits limits, Calls calls);

    // Whether the descriptor that was to be the listening socket is the instance lock.
    bool holds_lock() const { return static_cast<bool>(lock_); }
    bool retired() const { return retired_; }
    // An order has been taken: an heir is told of it until its report has been taken.
    void begin(UnderWay delivery);
    void report(std::uint64_t delivery, std::string packet);
    // Of a delivery that was not begun, or was cut off before it could have any effect.
    void give_back(std::uint64_t delivery);
    // Sends what has gathered: to be called before each wait.
    void flush();
    // The spawner has retired and nobody is owed anything.
    bool finished() const { return retired_ && under_way_.empty(); }

  private:
    void take_channel(Fd channel);
    void drop_channel();
    void on_channel(std::uint32_t events);
    void take_packet(PacketReader::Packet packet);
    void taken(std::uint32_t reports);
    void on_heir();
    void retire();
    void forget_reports();
    void wait_for_heir();

    EventLoop& loop_;
    Limits limits_;
    Calls calls_;
    Fd channel_;
    Fd heirs_;
    Fd lock_;
    std::unique_ptr<PacketReader> in_;
    std::unique_ptr<PacketQueue> out_;
    bool retired_ = false;
    std::map<std::uint64_t, UnderWay> under_way_;
    std::deque<std::pair<std::uint64_t, std::string>> reports_;  // not taken yet
    EventLoop::TimerId patience_ = 0;
};

}  // namespace relais::send
