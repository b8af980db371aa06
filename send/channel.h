// The two ways out of the queue: to users here by qmail-lspawn, to other servers by qmail-rspawn.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace relais::send {

enum class Channel : std::uint8_t { local, remote };

inline constexpr std::array channels = {Channel::local, Channel::remote};

// As the log has it.
constexpr std::string_view name_of(Channel channel) {
    return channel == Channel::local ? "local" : "remote";
}

}  // namespace relais::send
