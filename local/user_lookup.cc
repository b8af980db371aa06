#include "local/user_lookup.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <utility>

#include "base/error.h"
#include "base/io.h"
#include "base/place_descriptor.h"
#include "base/program.h"
#include "base/unix_socket.h"

namespace relais::local {
namespace {

constexpr std::size_t answers_at_once = 32;

}  // namespace

UserLookup::UserLookup(EventLoop& loop, std::string program, const control::Owners& owners, Answered answered,
                       std::function<void()> died)
    : loop_(loop),
      program_(std::move(program)),
      owners_(owners),
      answered_(std::move(answered)),
      died_(std::move(died)),
      answers_(lookup_packet_limit, answers_at_once) {
    start();
}

void UserLookup::ask(std::uint64_t delivery, std::string_view local_part) {
    if (pid_ < 0) start();
    questions_->add(encode_question(delivery, local_part));
}

void UserLookup::flush() {
    if (socket_) questions_->flush();
}

void UserLookup::start() {
    auto [ours, theirs] = make_packet_pair();
    pid_ = ::fork();
    if (pid_ < 0) throw_errno("fork", "the user look-up");
    if (pid_ == 0) serve_in_child(theirs.get());
    socket_ = std::move(ours);
    set_nonblocking(socket_.get(), true);
    questions_ = std::make_unique<PacketQueue>(loop_, socket_.get());
    loop_.add(socket_.get(), EPOLLIN, [this](std::uint32_t events) { on_event(events); });
}

// A program of its own: what reads the system's user data base has no place in root's memory, and root's
// process stays small, which is what a fork costs.
void UserLookup::serve_in_child(int socket) const {
    try {
        EventLoop::restore_signals();
        place_descriptor(socket, lookup_socket);
        set_close_on_exec(lookup_socket, false);
        ::close_range(lookup_socket + 1, ~0U, 0);
        control::become(owners_, control::Role::qmailp);
        ::execl(program_.c_str(), "qmail-getpw", "-s", static_cast<char*>(nullptr));
        throw_errno("run", program_);
    } catch (const std::exception& error) {
        log_line(std::string("user look-up: ") + error.what());
    }
    ::_exit(static_cast<int>(Exit::temporary));
}

void UserLookup::on_event(std::uint32_t events) {
    if ((events & EPOLLOUT) != 0) questions_->on_writable();
    if ((events & ~static_cast<std::uint32_t>(EPOLLOUT)) == 0) return;
    for (const PacketReader::Packet& packet : answers_.read(socket_.get())) {
        const auto answer = decode_lookup_answer(packet.data);
        if (!answer) throw Error(Reaction::bug, "the user look-up gave an answer that cannot be read");
        answered_(*answer);
    }
    if (answers_.closed()) end();
}

void UserLookup::end() {
    log_line("warning: the user look-up ended; its questions are deferred");
    loop_.remove(socket_.get());
    socket_.reset();
    pid_ = -1;
    died_();
}

}  // namespace relais::local
