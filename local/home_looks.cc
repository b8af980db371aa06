#include "local/home_looks.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "base/error.h"
#include "base/privilege.h"
#include "base/process_title.h"
#include "base/program.h"
#include "base/unix_socket.h"
#include "local/dot_qmail.h"
#include "start/descriptors.h"

namespace relais::local {
namespace {

// A home on a file system that does not answer costs its own mail a 451, and nobody else's.
constexpr std::chrono::milliseconds look_patience{1000};
constexpr std::chrono::milliseconds idle_span{10'000};
constexpr std::chrono::milliseconds clock_pause{250};
constexpr std::size_t most_lookers = 20;
// Processes that have been told to end and are still there: of one user, and of all.
constexpr std::ptrdiff_t most_dying_of_one = 3;
constexpr std::size_t most_dying = 100;
constexpr std::size_t packets_at_once = 32;
constexpr std::size_t most_asked = 200;

}  // namespace

RecipientAnswer look_into_home(const User& user) {
    try {
        if (::chdir(user.home.c_str()) != 0) return RecipientAnswer::not_now;
        const bool found = find_dot_qmail(user.dash, user.extension).has_value();
        return found ? RecipientAnswer::known : RecipientAnswer::unknown;
    } catch (const Error&) {
        return RecipientAnswer::not_now;
    }
}

void serve_home_looks(int channel) {
    for (;;) {
        const auto packet = receive_packet(channel, home_look_limit);
        if (!packet) return;
        const auto question = decode_user_question(packet->data);
        if (!question) throw Error(Reaction::bug, "qmail-rcptd sent a question that cannot be read");
        const RecipientAnswer answer = look_into_home(question->user);
        // Nothing of the home is held while nobody asks, so that it can be unmounted.
        if (::chdir("/") != 0) throw_errno("change to", "/");
        if (!send_packet(channel, encode(HomeAnswer{question->id, answer}))) return;
    }
}

HomeLooks::HomeLooks(EventLoop& loop, const control::Home& home, Fd channel)
    : loop_(loop),
      owners_(control::Owners::read(home)),
      refusals_(home),
      channel_(std::move(channel)),
      questions_(home_look_limit, packets_at_once),
      answers_(loop_, channel_.get()),
      looks_(home_look_limit, packets_at_once) {
    set_nonblocking(channel_.get(), true);
    loop_.add(channel_.get(), EPOLLIN, [this](std::uint32_t events) { on_channel(events); });
    loop_.on_signal(SIGCHLD, [this] { reap(); });
    loop_.before_wait([this] {
        answers_.flush();
        return false;
    });
}

void HomeLooks::on_channel(std::uint32_t events) {
    if ((events & EPOLLOUT) != 0) answers_.on_writable();
    if ((events & ~static_cast<std::uint32_t>(EPOLLOUT)) == 0) return;
    for (const PacketReader::Packet& packet : questions_.read(channel_.get())) {
        const auto question = decode_home_question(packet.data);
        if (!question) throw Error(Reaction::bug, "a question about a home cannot be read");
        take(*question);
    }
    if (questions_.closed()) loop_.stop();
}

void HomeLooks::take(const HomeQuestion& question) {
    if (is_refused(question)) return answer(question.id, RecipientAnswer::not_now);
    // In an instance of one user everything is his.
    const control::Owner self = owners_.of(control::Role::alias);
    const Owner owner = owners_.single() ? Owner{self.uid, self.gid} : Owner{question.uid, question.gid};
    Looker* looker = looker_of(owner);
    if (looker == nullptr || looker->asked.size() >= most_asked)
        return answer(question.id, RecipientAnswer::not_now);
    try {
        if (!send_packet(looker->channel.get(), encode_user_question(question.id, question.user)))
            return answer(question.id, RecipientAnswer::not_now);
    } catch (const Error&) {
        return answer(question.id, RecipientAnswer::not_now);
    }
    looker->asked.emplace_back(question.id, Clock::now() + look_patience);
}

bool HomeLooks::is_refused(const HomeQuestion& question) {
    try {
        return refusals_.of(question.local, {question.uid, question.gid, question.assigned}).has_value();
    } catch (const Error& error) {
        log_line(std::string("warning: ") + error.what());
        return true;
    }
}

HomeLooks::Looker* HomeLooks::looker_of(Owner owner) {
    if (const auto found = lookers_.find(owner); found != lookers_.end()) return &found->second;
    if (hangs(owner)) return nullptr;
    if (lookers_.size() >= most_lookers && !make_room()) return nullptr;
    try {
        start(owner);
    } catch (const Error& error) {
        log_line(std::string("warning: ") + error.what());
        return nullptr;
    }
    return &lookers_.at(owner);
}

// What asks a dead file system cannot even be killed; more of it would only fill the machine.
bool HomeLooks::hangs(Owner owner) const {
    if (dying_.size() >= most_dying) return true;
    return std::count_if(dying_.begin(), dying_.end(),
                         [owner](const auto& each) { return each.second == owner; }) >= most_dying_of_one;
}

// The one that has been idle longest goes; false if all are busy.
bool HomeLooks::make_room() {
    auto longest = lookers_.end();
    for (auto at = lookers_.begin(); at != lookers_.end(); ++at)
        if (at->second.asked.empty() &&
            (longest == lookers_.end() || at->second.quiet_since < longest->second.quiet_since))
            longest = at;
    if (longest == lookers_.end()) return false;
    end(longest->first);
    return true;
}

void HomeLooks::start(Owner owner) {
    auto [ours, theirs] = make_packet_pair();
    const pid_t pid = ::fork();
    if (pid < 0) throw_errno("fork", "a look into a home");
    if (pid == 0) become_looker(owner, theirs.get());
    set_nonblocking(ours.get(), true);
    Looker& looker = lookers_[owner];
    looker.pid = pid;
    looker.channel = std::move(ours);
    if (!std::exchange(clock_runs_, true)) loop_.after(clock_pause, [this] { look_at_clocks(); });
    loop_.add(looker.channel.get(), EPOLLIN, [this, owner](std::uint32_t) { on_looker(owner); });
}

void HomeLooks::become_looker(Owner owner, int channel) {
    try {
        constexpr int place = STDERR_FILENO + 1;
        if (channel != place && ::dup2(channel, place) < 0) throw_errno("place", "a descriptor");
        ::close_range(place + 1, ~0U, 0);
        drop_privilege(owner.first, owner.second);
        EventLoop::restore_signals();
        set_process_title("qmail-rcptd", {"looks"});
        serve_home_looks(place);
        ::_exit(0);
    } catch (const std::exception& error) {
        log_line(error.what());
    }
    ::_exit(static_cast<int>(Exit::temporary));
}

// Answers come in the order of the questions; a user's process that breaks this answers for itself alone.
void HomeLooks::on_looker(Owner owner) {
    const auto found = lookers_.find(owner);
    if (found == lookers_.end()) return;
    Looker& looker = found->second;
    for (const PacketReader::Packet& packet : looks_.read(looker.channel.get())) {
        const auto told = decode_home_answer(packet.data);
        if (!told || looker.asked.empty() || looker.asked.front().first != told->id) return end(owner);
        answer(told->id, told->answer);
        looker.asked.pop_front();
        looker.quiet_since = Clock::now();
    }
    if (looks_.closed()) end(owner);
}

void HomeLooks::end(Owner owner) {
    const auto found = lookers_.find(owner);
    for (const auto& [id, until] : found->second.asked) answer(id, RecipientAnswer::not_now);
    loop_.remove(found->second.channel.get());
    if (found->second.pid > 0) {
        ::kill(found->second.pid, SIGKILL);
        dying_.emplace(found->second.pid, owner);
    }
    lookers_.erase(found);
}

void HomeLooks::reap() {
    for (pid_t pid = 0; (pid = ::waitpid(-1, nullptr, WNOHANG)) > 0;) {
        dying_.erase(pid);
        for (auto& [owner, looker] : lookers_)
            if (looker.pid == pid) looker.pid = -1;  // a number that is free again is nobody to kill
    }
}

void HomeLooks::look_at_clocks() {
    const auto now = Clock::now();
    std::vector<Owner> over;
    for (const auto& [owner, looker] : lookers_)
        if (looker.asked.empty() ? now - looker.quiet_since > idle_span : looker.asked.front().second < now)
            over.push_back(owner);
    for (const Owner& owner : over) end(owner);
    clock_runs_ = !lookers_.empty();
    if (clock_runs_) loop_.after(clock_pause, [this] { look_at_clocks(); });
}

}  // namespace relais::local
