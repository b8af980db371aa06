// What a server offers, without a message: for tools.
#pragma once

#include <string>
#include <vector>

#include "base/deadline.h"
#include "net/connect.h"
#include "remote/smtp_reply.h"

namespace relais::remote {

struct Probed {
    Extensions extensions{};
    std::string ip{};       // the address that answered
    std::string trouble{};  // why nothing is known, in one line; "" if all went well
};

// Connects to the first of the endpoints that answers, reads the greeting, says EHLO, in the clear, and QUIT.
// patience: for all of it. What the server says is believed no more than a delivery would. Never throws.
Probed probe(const std::vector<net::Endpoint>& endpoints, const std::string& helo,
             const net::LocalBinding& from, Seconds patience);

}  // namespace relais::remote
