#include "send/default_delivery.h"

#include "base/file.h"
#include "control/setting.h"

namespace relais::send {
namespace {
constexpr std::size_t default_delivery_limit = 8192;
}

std::string read_default_delivery(const control::Home& home) {
    std::string content =
        read_file(home.control_file(control::row<"defaultdelivery">.name), default_delivery_limit)
            .value_or(std::string(control::default_of<"defaultdelivery">()));
    content.erase(content.find_last_not_of(" \t\r\n") + 1);
    return content;
}

}  // namespace relais::send
