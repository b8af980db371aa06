// The client's side of QMQP: a message for whoever of several servers is there.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/socket.h"
#include "queue/protocol.h"

namespace relais::qmtp {

// The servers of control/qmqpservers: an address, or one with its port, IPv6 then in brackets. Lines that are
// none are passed over, as qmail does.
std::vector<net::Endpoint> parse_servers(const std::vector<std::string>& lines);

// The message with its envelope as it goes over the wire. envelope: as encode_submitted_envelope has it,
// whole.
std::string encode_request(std::string_view message, std::string_view envelope);

struct Patience {
    std::chrono::seconds connect{10};
    std::chrono::seconds silence{60};  // for each octet that is waited for, and each 64 KiB written
};

// Offers it to the servers in order. One that cannot be reached, or goes before it has the whole message, is
// passed over; behind that its answer is the answer, and silence is one too, for a second server could have
// the message twice. The codes are qmail-queue's: accepted, refused, refused_for_now; connect_timed_out or
// connect_refused when none was there, communication, network, bad_configuration without a server.
queue::SubmitCode submit(const std::vector<net::Endpoint>& servers, std::string_view request,
                         const Patience& patience = {});

}  // namespace relais::qmtp
