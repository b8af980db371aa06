// The sockets of an instance: qmail-start makes them, qmail-setup looks after them.
#pragma once

#include <sys/types.h>

#include <array>
#include <optional>
#include <string_view>

#include "control/owners.h"

namespace relais::control {

struct Socket {
    std::string_view name;  // in sockets/
    mode_t mode;
    std::optional<Role>
        client;  // whose it is, who alone may connect with mode 0600; nothing: the administrator
};

inline constexpr std::array<Socket, 10> sockets = {{{"queue-network", 0600, Role::qmaild},
                                                    {"queue-bounce", 0600, Role::qmails},
                                                    {"queue-submit", 0666, std::nullopt},
                                                    {"resolver", 0666, std::nullopt},
                                                    {"send-control", 0600, std::nullopt},
                                                    {"open-smtp", 0600, std::nullopt},
                                                    {"auth", 0600, std::nullopt},
                                                    {"auth-smtp", 0600, Role::qmaild},
                                                    {"keys", 0600, Role::qmaild},
                                                    {"recipients", 0600, Role::qmaild}}};

}  // namespace relais::control
