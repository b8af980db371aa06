#include "start/daemons.h"

#include <fmt/core.h>

namespace relais::start {
namespace {

std::string word_of(const Descriptor& descriptor) {
    switch (descriptor.what) {
        case Given::nothing:
            break;
        case Given::socket: {
            const std::string who = descriptor.mode == 0666 ? "everybody"
                                    : descriptor.client
                                        ? std::string(control::Owners::name(*descriptor.client))
                                        : "administrator";
            return fmt::format("{} ({})", descriptor.name, who);
        }
        case Given::hint_writer:
            return "hints, to write";
        case Given::hint_reader:
            return "hints, to read";
        case Given::local_channel:
            return "channel to qmail-lspawn";
        case Given::remote_channel:
            return "channel to qmail-rspawn";
        case Given::send_lock:
            return "instance lock";
        case Given::orders:
            return "channel to qmail-send";
        case Given::heirs:
            return "socket for heirs";
        case Given::token_secret:
            return "secret of tokens";
    }
    return "";
}

}  // namespace

std::string daemons_table() {
    std::string table = "| program | runs as | descriptors from 3 on | when it ends |\n|---|---|---|---|\n";
    for (const Daemon& daemon : daemons) {
        std::string descriptors;
        for (const Descriptor& descriptor : daemon.descriptors)
            if (descriptor.what != Given::nothing)
                descriptors += (descriptors.empty() ? "" : ", ") + word_of(descriptor);
        table += fmt::format("| {} | {} | {} | {} |\n", daemon.name,
                             daemon.role ? control::Owners::name(*daemon.role) : "root", descriptors,
                             daemon.end == End::again ? "it is started again" : "a new generation");
    }
    return table;
}

}  // namespace relais::start
