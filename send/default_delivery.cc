#include "send/default_delivery.h"

#include "base/file.h"

namespace relais::send {
namespace {
constexpr std::size_t default_delivery_limit = 8192;
}

std::string read_default_delivery(const control::Home& home) {
    std::string content =
        read_file(home.control_file("defaultdelivery"), default_delivery_limit).value_or("./Maildir/");
    content.erase(content.find_last_not_of(" \t\r\n") + 1);
    return content;
}

}  // namespace relais::send
