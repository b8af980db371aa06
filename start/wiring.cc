#include "start/wiring.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>

#include <array>

#include "base/error.h"
#include "base/unix_socket.h"
#include "keyd/mail_token.h"
#include "queue/store.h"
#include "start/descriptors.h"
#include "start/succession.h"

namespace relais::start {
namespace {

constexpr uid_t same_uid = static_cast<uid_t>(-1);
constexpr gid_t same_gid = static_cast<gid_t>(-1);
constexpr int hint_pipe_size = 1 << 20;

Pipe make_hint_pipe() {
    Pipe pipe = make_pipe();
    ::fcntl(pipe.write.get(), F_SETPIPE_SZ, hint_pipe_size);  // a smaller one only means more scans
    return pipe;
}

// Readable for who has the descriptor, by position.
Fd make_token_secret() {
    Fd file(::memfd_create("token-secret", MFD_CLOEXEC));
    std::array<char, keyd::token_secret_size> secret{};
    if (::getrandom(secret.data(), secret.size(), 0) != static_cast<ssize_t>(secret.size()) || !file)
        throw_errno("make", "the secret for signing mail");
    write_all(file.get(), {secret.data(), secret.size()}, Deadline::never());
    return file;
}

}  // namespace

Fd lock_sockets(const control::Home& home) {
    const std::string directory = home.path("sockets");
    Fd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd) throw_errno("open", directory);
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0)
        throw_errno("lock (is another qmail-start running?)", directory);
    return fd;
}

std::optional<Fd> take_instance_lock(const control::Home& home) {
    Fd fd = queue::open_send_lock(home);
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return fd;
    if (errno != EWOULDBLOCK) throw_errno("lock", queue::send_lock_path(home));
    return std::nullopt;
}

Wiring::Wiring(control::Home home, control::Owners owners, std::string delivery)
    : home_(std::move(home)),
      owners_(std::move(owners)),
      delivery_(std::move(delivery)),
      hints_(make_hint_pipe()),
      token_secret_(make_token_secret()) {
    for_each_socket([&](const Descriptor& socket) {
        const auto who = socket.client ? owner(*socket.client) : std::nullopt;
        const std::string path = home_.socket(socket.name);
        const uid_t uid = who ? who->uid : same_uid;
        const gid_t gid = who ? who->gid : same_gid;
        if (!socket.packets) {
            sockets_.emplace(socket.name, listen_unix(path, socket.mode, uid, gid));
            return;
        }
        // Nobody but us may connect until it is the client's.
        sockets_.emplace(socket.name, listen_packets(path, socket.mode));
        if (::chown(path.c_str(), uid, gid) != 0) throw_errno("change the owner of", path);
    });
}

std::optional<control::Owner> Wiring::owner(control::Role role) const {
    return owners_.single() ? std::nullopt : std::optional(owners_.of(role));
}

Program Wiring::program(const Daemon& daemon, const Supply& supply) const {
    Program program{.path = home_.program(daemon.name),
                    .owner = daemon.role ? owner(*daemon.role) : std::nullopt,
                    .ends_with_parent = daemon.ends_with_start,
                    .takes_signals = daemon.takes_signals};
    if (!daemon.argument.empty()) program.arguments = {std::string(daemon.argument)};
    for (const Descriptor& descriptor : daemon.descriptors) {
        if (descriptor.what == Given::nothing || descriptor.behind) break;
        program.descriptors.push_back(descriptor.what == Given::socket ? sockets_.at(descriptor.name).get()
                                                                       : supply.at(descriptor.what));
    }
    return program;
}

std::vector<Program> Wiring::services() const {
    const Supply supply = {{Given::hint_writer, hints_.write.get()},
                           {Given::token_secret, token_secret_.get()}};
    std::vector<Program> programs;
    for (const Daemon& daemon : daemons)
        if (daemon.end == End::again) programs.push_back(program(daemon, supply));
    return programs;
}

std::vector<Program> Wiring::generation(Fd lock, std::vector<Fd>& ours) const {
    RetiredSpawners retired = connect_to_spawners(home_);
    Fd local_heirs = listen_for_heirs(home_, 'l');
    Fd remote_heirs = listen_for_heirs(home_, 'r');
    auto [local, lspawn] = make_packet_pair();
    auto [remote, rspawn] = make_packet_pair();
    const Supply of_send = {{Given::hint_reader, hints_.read.get()},
                            {Given::local_channel, local.get()},
                            {Given::remote_channel, remote.get()},
                            {Given::send_lock, lock.get()}};
    const Supply of_lspawn = {{Given::orders, lspawn.get()}, {Given::heirs, local_heirs.get()}};
    const Supply of_rspawn = {{Given::orders, rspawn.get()}, {Given::heirs, remote_heirs.get()}};

    Program send = program(daemon_named("qmail-send"), of_send);
    send.arguments = {retired.letters + send_token_secret};
    for (const Fd& channel : retired.channels) send.descriptors.push_back(channel.get());
    send.descriptors.push_back(token_secret_.get());
    send.descriptors.push_back(sockets_.at("turn").get());
    Program local_spawner = program(daemon_named("qmail-lspawn"), of_lspawn);
    local_spawner.arguments = {delivery_};
    Program remote_spawner = program(daemon_named("qmail-rspawn"), of_rspawn);

    ours = std::move(retired.channels);
    for (Fd* fd : {&local, &remote, &lspawn, &rspawn, &lock, &local_heirs, &remote_heirs})
        ours.push_back(std::move(*fd));
    return {std::move(send), std::move(local_spawner), std::move(remote_spawner)};
}

}  // namespace relais::start
