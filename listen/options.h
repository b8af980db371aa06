// The options of a program that has a listener of its own.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/program.h"
#include "net/socket.h"

namespace relais::listen {

struct Options {
    struct Place {
        net::Endpoint address;
        bool proxied = false;  // --proxy: each connection begins with a proxy's header
    };
    std::vector<Place> places;            // -l and --proxy
    std::optional<std::string> rules;     // -x
    std::size_t connection_limit = 1000;  // -c
    std::size_t address_limit = 0;        // --per-ip; 0: none
    bool tls = false;                     // --tls: before the greeting
    std::vector<int> sockets;             // --sockets: we are an acceptor; the keeper's, as the places
    int filters = -1;                     // --filters: its channel to the guardian of filters
};

// Without -l and --proxy there is no listener: one client on descriptors 0 and 1. Throws a permanent Error
// with the usage of that program for anything that is not understood.
Options parse_options(std::string_view program, const Arguments& arguments);

}  // namespace relais::listen
