// qmail-rspawn's work: orders in, each to a process of the pool, reports out. It reads neither messages nor
// what servers say.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/event_loop.h"
#include "base/fd.h"
#include "base/packet_batch.h"
#include "control/directory_watch.h"
#include "control/home.h"
#include "remote/settings.h"
#include "remote/shared_memory.h"
#include "remote/tcpto.h"
#include "send/delivery_protocol.h"
#include "send/spawner_line.h"

namespace relais::remote {

class Pool {
  public:
    // directory: watches control/, made before confinement, borrowed; channel: the packet socket to
    // qmail-send; heirs: start/descriptors.h.
    Pool(control::Home home, TimeoutTable timeouts, ServerMemory servers, control::DirectoryWatch& directory,
         Fd channel, Fd heirs);

    // Serves until it retires, the last process of the pool has ended and its report has been taken. Throws
    // Error.
    void run();

  private:
    struct Work {
        std::uint64_t delivery;
        std::size_t recipients;
    };
    struct Process {
        Fd channel;
        std::string key;  // where its last order went: it may still be connected to there
        std::optional<Work> work;
        Clock::time_point idle_since = Clock::now();
        bool ending = false;
        bool cut = false;            // by hand
        std::uint64_t settings = 0;  // which version of them it has
    };
    using ProcessId = std::uint64_t;

    bool before_wait();
    void take_order(PacketReader::Packet packet);
    void hand_over(const send::RemoteOrder& order, const Work& work, const PacketReader::Packet& packet);
    void end_outdated_processes();
    std::optional<ProcessId> choose(const std::string& key) const;
    std::optional<ProcessId> start_process();
    [[noreturn]] void become_worker(Fd channel);
    void on_process(ProcessId id);
    bool take_report(Process& process);
    void process_ended(ProcessId id);
    void end_process(Process& process);
    void end_idle_processes(Clock::time_point idle_since_before);
    void report_failure(const Work& work, const std::string& text);
    void retire();
    void cut(std::uint64_t delivery);

    control::Home home_;
    control::DirectoryWatch& directory_;
    TimeoutTable timeouts_;
    SettingsFiles settings_;
    SharedMemory memory_;
    EventLoop loop_;
    send::SpawnerLine line_;
    std::map<ProcessId, Process> processes_;
    ProcessId next_id_ = 1;
};

}  // namespace relais::remote
