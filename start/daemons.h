// What qmail-start starts, a row for each program: as whom, with which descriptors, and what its end means.
// qmail-start goes by it, qmail-setup looks after the sockets in it, the programs take the numbers of their
// descriptors from it (start/descriptors.h), and the table in docs/architecture.md is compared with it. A new
// daemon is a row here and its program.
#pragma once

#include <sys/types.h>

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "control/owners.h"

namespace relais::start {

// What a program is given as a descriptor.
enum class Given {
    nothing,
    socket,          // listens in sockets/
    hint_writer,     // where qmail-queued tells of new messages
    hint_reader,     // where qmail-send hears of them
    local_channel,   // qmail-send's end of the channel to qmail-lspawn
    remote_channel,  // the same to qmail-rspawn
    send_lock,       // the instance lock
    orders,          // a spawner's end of its channel
    heirs,           // where a spawner listens for the next qmail-send, made anew for each one
    token_secret,    // a file with the secret of keyd/mail_token.h, made anew by each qmail-start
};

struct Descriptor {
    Given what = Given::nothing;
    std::string_view name = "";  // of a socket
    mode_t mode = 0;
    // Whose the socket is, who alone may connect where the mode is 0600; nothing: the administrator.
    std::optional<control::Role> client = std::nullopt;
    bool packets = false;  // SOCK_SEQPACKET, not a stream
    bool behind = false;   // comes behind all others, also those of start/descriptors.h that have no row
};

constexpr Descriptor socket_for(control::Role client, std::string_view name) {
    return {Given::socket, name, 0600, client};
}
constexpr Descriptor socket_for_administrator(std::string_view name) {
    return {Given::socket, name, 0600, std::nullopt};
}
constexpr Descriptor socket_for_all(std::string_view name) {
    return {Given::socket, name, 0666, std::nullopt};
}
// Of packets: each is a message.
constexpr Descriptor packets_from(control::Role client, std::string_view name) {
    return {Given::socket, name, 0600, client, true};
}
// The same for a program that does not rely on it, for an older qmail-start gives it none.
constexpr Descriptor later_packets_from(control::Role client, std::string_view name) {
    return {Given::socket, name, 0600, client, true, true};
}
constexpr Descriptor given(Given what) {
    return {what, "", 0, std::nullopt};
}

// What follows when the program ends.
enum class End {
    again,       // it is started again, a second later; its sockets stay, so its clients wait in the backlog
    generation,  // qmail-send ends with it, and it and the spawners are started anew
};

struct Daemon {
    std::string_view name;  // of the program
    // As whom it runs; nothing: as qmail-start.
    std::optional<control::Role> role;
    // From descriptor 3 on, in this order.
    std::array<Descriptor, 6> descriptors;
    End end = End::again;
    // SIGTERM when qmail-start dies; others see a channel end.
    bool ends_with_start = true;
    // SIGHUP, SIGALRM and SIGTERM stay blocked until its event loop takes them.
    bool takes_signals = false;
    // By which a program knows that this row, and no older and shorter one, has given it its descriptors.
    std::string_view argument = "";
};

using control::Role;

// Those of a generation stand together, qmail-send first.
inline constexpr std::array daemons = {
    Daemon{
        .name = "qmail-queued",
        .role = Role::qmailq,
        .descriptors = {socket_for(Role::qmaild, "queue-network"), socket_for(Role::qmails, "queue-bounce"),
                        socket_for_all("queue-submit"), given(Given::hint_writer)}},
    Daemon{.name = "qmail-resolver", .role = Role::qmailn, .descriptors = {socket_for_all("resolver")}},
    Daemon{
        .name = "open-smtpd", .role = Role::qmailo, .descriptors = {socket_for_administrator("open-smtp")}},
    Daemon{.name = "qmail-authd",
           .role = std::nullopt,
           .descriptors = {socket_for_administrator("auth"), socket_for(Role::qmaild, "auth-smtp")}},
    Daemon{.name = "qmail-keyd",
           .role = std::nullopt,
           .descriptors = {socket_for(Role::qmaild, "keys"), socket_for(Role::qmailr, "signing"),
                           given(Given::token_secret)},
           .argument = "mail"},
    Daemon{
        .name = "qmail-rcptd", .role = std::nullopt, .descriptors = {socket_for(Role::qmaild, "recipients")}},
    Daemon{.name = "qmail-countd", .role = Role::qmailc, .descriptors = {socket_for(Role::qmaild, "counts")}},
    Daemon{.name = "qmail-stsd", .role = Role::qmailw, .descriptors = {socket_for(Role::qmailr, "sts")}},
    Daemon{
        .name = "qmail-milterd", .role = Role::qmailx, .descriptors = {socket_for(Role::qmaild, "milter")}},
    Daemon{
        .name = "qmail-traced",
        .role = Role::qmailt,
        .descriptors = {packets_from(Role::qmaild, "trace-smtp"), packets_from(Role::qmails, "trace-send")}},
    Daemon{
        .name = "qmail-metrics", .role = Role::qmailm, .descriptors = {socket_for_administrator("metrics")}},
    Daemon{
        .name = "qmail-console", .role = std::nullopt, .descriptors = {socket_for_administrator("console")}},
    Daemon{
        .name = "qmail-send",
        .role = Role::qmails,
        .descriptors = {given(Given::hint_reader), given(Given::local_channel), given(Given::remote_channel),
                        given(Given::send_lock), socket_for_administrator("send-control"),
                        later_packets_from(Role::qmaild, "turn")},
        .end = End::generation,
        .takes_signals = true},
    Daemon{.name = "qmail-lspawn",
           .role = std::nullopt,
           .descriptors = {given(Given::orders), given(Given::heirs)},
           .end = End::generation,
           .ends_with_start = false},
    Daemon{.name = "qmail-rspawn",
           .role = Role::qmailr,
           .descriptors = {given(Given::orders), given(Given::heirs)},
           .end = End::generation,
           .ends_with_start = false},
};

// A name without a row does not compile.
consteval const Daemon& daemon_named(std::string_view name) {
    for (const Daemon& daemon : daemons)
        if (daemon.name == name) return daemon;
    throw "start/daemons.h has no such program";
}

// Calls look with each socket, a Descriptor.
template <class Look>
constexpr void for_each_socket(const Look& look) {
    for (const Daemon& daemon : daemons)
        for (const Descriptor& descriptor : daemon.descriptors)
            if (descriptor.what == Given::socket) look(descriptor);
}

// The number that the program has it under.
consteval int descriptor_of(std::string_view program, Given what) {
    const Daemon& daemon = daemon_named(program);
    for (std::size_t i = 0; i < daemon.descriptors.size(); ++i)
        if (daemon.descriptors[i].what == what) return static_cast<int>(i) + 3;
    throw "start/daemons.h has no such descriptor";
}
// The number of a listening socket in the program that serves it.
consteval int listening(std::string_view socket) {
    for (const Daemon& daemon : daemons)
        for (std::size_t i = 0; i < daemon.descriptors.size(); ++i)
            if (daemon.descriptors[i].what == Given::socket && daemon.descriptors[i].name == socket)
                return static_cast<int>(i) + 3;
    throw "start/daemons.h has no such socket";
}

// The rows as a table in Markdown, for docs/architecture.md.
std::string daemons_table();

}  // namespace relais::start
