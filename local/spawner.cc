#include "local/spawner.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <vector>

#include "base/error.h"
#include "base/io.h"
#include "base/privilege.h"
#include "base/process_title.h"
#include "base/program.h"
#include "base/time.h"
#include "base/unix_socket.h"
#include "control/setting.h"
#include "local/delivery.h"
#include "local/family_end.h"
#include "local/maildir.h"
#include "local/user_database.h"
#include "local/user_process.h"
#include "mail/address.h"
#include "mail/enhanced_status.h"
#include "start/descriptors.h"

namespace relais::local {
namespace {

// As much of a delivery's words as goes into a bounce.
constexpr std::size_t report_limit = 3000;
constexpr std::chrono::milliseconds longest_look_pause{10'000};
// A LocalOrder is well below this; so many packets are taken at a time.
constexpr std::size_t order_limit = 4096;
constexpr std::size_t packets_at_once = 32;
// So long a user's instructions are taken to ask for more than a Maildir; so many users are remembered.
constexpr Seconds declined_span{60};
constexpr std::size_t declined_limit = 1000;
// So long a user's process waits for its next order; where the kernel tells of no changes, not long enough
// to meet one.
constexpr std::chrono::milliseconds longest_stay{30'000};
constexpr std::chrono::milliseconds unwatched_stay{500};
// Where a delivery's own descriptors lie: everything else of this process is closed in it.
constexpr int child_message = start::spawner_channel;
constexpr int child_output = start::spawner_heirs + 1;
static_assert(start::spawner_heirs == start::spawner_channel + 1);

std::string_view local_part(const send::LocalOrder& order) {
    return mail::split_address(order.recipient).local;
}

void place_descriptor(int from, int to) {
    if (from != to && ::dup3(from, to, O_CLOEXEC) < 0) throw_errno("place", "a descriptor");
}

std::string without_line_end(std::string text) {
    if (text.ends_with('\n')) text.pop_back();
    return text;
}

}  // namespace

Spawner::Spawner(control::Home home, std::string default_delivery, Fd channel, Fd heirs)
    : home_(std::move(home)),
      owners_(control::Owners::read(home_)),
      default_delivery_(std::move(default_delivery)),
      line_(loop_, std::move(channel), std::move(heirs), {order_limit, packets_at_once},
            {[this] { look_for_changes(); },
             [this](PacketReader::Packet packet) { take_order(std::move(packet)); }, [this] { retire(); },
             [this](std::uint64_t delivery) { cut(delivery); }}),
      lookup_answers_(lookup_packet_limit, packets_at_once),
      known_users_(home_),
      accounts_("/etc/passwd"),
      refusals_(home_),
      users_(
          loop_, [this](UserProcesses::Owner owner, int process) { become_user_process(owner, process); },
          [this](std::uint64_t number, std::optional<send::Report> answer, const std::string& trouble) {
              take_user_answer(number, std::move(answer), trouble);
          },
          [this] { return may_stay(); }) {
    maildir_host();  // asked once, not in every delivery
    loop_.on_signal(SIGCHLD, [this] { reap(); });
    loop_.before_wait([this] { return before_wait(); });
    start_lookups();
}

// What a turn of the loop has gathered for a peer is sent together.
bool Spawner::before_wait() {
    const bool more = users_.dispatch();
    if (lookup_socket_) questions_->flush();
    line_.flush();
    if (line_.finished()) loop_.stop();
    return more;
}

void Spawner::run() {
    loop_.run();
}

void Spawner::take_order(PacketReader::Packet packet) {
    auto order = send::decode_local_order(packet.data);
    // No report could name its delivery; qmail-start begins anew with all three programs.
    if (!order) throw Error(Reaction::bug, "qmail-send sent an order that cannot be read");
    const std::uint64_t number = order->delivery;
    line_.begin(
        {number, order->message, now_seconds(), send::Channel::local, order->recipient, {order->index}});
    Delivery& delivery = deliveries_[number];
    delivery.order = *std::move(order);
    delivery.message = std::move(packet.passed);
    if (auto fault = fault_of(delivery)) return report(number, send::Outcome::temporary, *std::move(fault));
    const std::string_view local = local_part(delivery.order);
    if (const LookupAnswer* known = known_users_.find(local)) {
        LookupAnswer answer = *known;
        answer.delivery = number;
        return take_answer(answer);
    }
    ask(number, delivery);
}

// Processes of users do not outlive what they were made by: users/, control/, the system's accounts.
void Spawner::look_for_changes() {
    known_users_.look();
    const bool other_files = std::exchange(users_state_, known_users_.state()) != known_users_.state();
    if (accounts_.changed() || other_files) users_.outdate();
}

Clock::duration Spawner::may_stay() {
    look_for_changes();
    return known_users_.state() == 0 ? unwatched_stay : longest_stay;
}

void Spawner::ask(std::uint64_t number, Delivery& delivery) {
    if (lookup_pid_ < 0) start_lookups();
    delivery.asked_in = known_users_.state();
    questions_->add(encode_question(number, local_part(delivery.order)));
}

// What is wrong with the descriptor that came with an order: root reads for others only what is in the queue.
std::optional<std::string> Spawner::fault_of(const Delivery& delivery) const {
    struct stat status {};
    const int fd = delivery.message.get();
    if (fd < 0 || ::fstat(fd, &status) != 0) return "The message came without a descriptor. (#4.3.0)";
    const int flags = ::fcntl(fd, F_GETFL);
    if (!S_ISREG(status.st_mode) || status.st_uid != owners_.of(control::Role::qmailq).uid || flags < 0 ||
        (flags & O_ACCMODE) != O_RDONLY ||
        static_cast<std::uint64_t>(status.st_size) < delivery.order.message_size)
        return "The message's descriptor is not one of the queue's. (#4.3.0)";
    return std::nullopt;
}

void Spawner::start_lookups() {
    auto [ours, theirs] = make_packet_pair();
    lookup_pid_ = ::fork();
    if (lookup_pid_ < 0) throw_errno("fork", "the user look-up");
    if (lookup_pid_ == 0) serve_lookups_in_child(theirs.get());
    lookup_socket_ = std::move(ours);
    set_nonblocking(lookup_socket_.get(), true);
    questions_ = std::make_unique<PacketQueue>(loop_, lookup_socket_.get());
    loop_.add(lookup_socket_.get(), EPOLLIN, [this](std::uint32_t events) { on_lookup(events); });
}

void Spawner::on_lookup(std::uint32_t events) {
    if ((events & EPOLLOUT) != 0) questions_->on_writable();
    if ((events & ~static_cast<std::uint32_t>(EPOLLOUT)) == 0) return;
    for (const PacketReader::Packet& packet : lookup_answers_.read(lookup_socket_.get())) {
        const auto answer = decode_lookup_answer(packet.data);
        if (!answer) throw Error(Reaction::bug, "the user look-up gave an answer that cannot be read");
        if (const auto asked = deliveries_.find(answer->delivery); asked != deliveries_.end())
            known_users_.keep(std::string(local_part(asked->second.order)), *answer, asked->second.asked_in);
        take_answer(*answer);
    }
    if (lookup_answers_.closed()) lookups_died();
}

// A program of its own: what reads the system's user data base has no place in root's memory, and root's
// process stays small, which is what a fork costs.
void Spawner::serve_lookups_in_child(int socket) {
    try {
        EventLoop::restore_signals();
        place_descriptor(socket, lookup_socket);
        set_close_on_exec(lookup_socket, false);
        ::close_range(lookup_socket + 1, ~0U, 0);
        const std::string path = home_.program("qmail-getpw");
        control::become(owners_, control::Role::qmailp);
        ::execl(path.c_str(), "qmail-getpw", "-s", static_cast<char*>(nullptr));
        throw_errno("run", path);
    } catch (const std::exception& error) {
        log_line(std::string("user look-up: ") + error.what());
    }
    ::_exit(static_cast<int>(Exit::temporary));
}

// The next order starts a new one; whatever it died of, the mail it was asked about waits.
void Spawner::lookups_died() {
    log_line("warning: the user look-up ended; its questions are deferred");
    loop_.remove(lookup_socket_.get());
    lookup_socket_.reset();
    lookup_pid_ = -1;
    std::vector<std::uint64_t> asked;
    for (const auto& [number, delivery] : deliveries_)
        if (!delivery.begun) asked.push_back(number);
    for (const std::uint64_t number : asked)
        report(number, send::Outcome::temporary, "Temporary failure in qmail-lspawn. (#4.3.0)");
}

void Spawner::take_answer(const LookupAnswer& answer) {
    const auto found = deliveries_.find(answer.delivery);
    if (found == deliveries_.end() || found->second.begun) return;
    if (answer.result != Lookup::found) return report(answer.delivery, send::Outcome::temporary, answer.text);
    Delivery& delivery = found->second;
    const FoundIds ids{answer.uid, answer.gid, answer.assigned};
    try {
        const std::string_view local = local_part(delivery.order);
        if (must_ask_again(local, ids, delivery)) return ask(answer.delivery, delivery);
        if (auto text = refusals_.of(local, ids))
            return report(answer.delivery, send::Outcome::temporary, *std::move(text));
    } catch (const Error& error) {
        return report(answer.delivery, send::Outcome::temporary,
                      std::string("qmail-lspawn: ") + error.what() + ". (#4.3.0)");
    }
    delivery.begun = true;
    delivery.user = answer;
    begin(delivery);
}

// A look-up that saw an older or a newer users/cdb than this process is no liar: it is asked once more.
bool Spawner::must_ask_again(std::string_view local, const FoundIds& found, Delivery& delivery) {
    if (delivery.asked_again || refusals_.agrees(local, found)) return false;
    known_users_.look();
    delivery.asked_again = true;
    return !refusals_.agrees(local, found);
}

void Spawner::begin(Delivery& delivery) {
    const std::uint64_t number = delivery.order.delivery;
    try {
        if (suits_user_process(delivery))
            users_.give(owner_of(delivery.user), number,
                        encode_user_order(delivery.user.text, delivery.order), delivery.message.get());
        else
            start(delivery, delivery.user);
    } catch (const Error& error) {
        report(number, send::Outcome::temporary, std::string("qmail-lspawn: ") + error.what() + ". (#4.3.0)");
    }
}

bool Spawner::suits_user_process(const Delivery& delivery) {
    if (delivery.order.message_size > user_message_limit) return false;
    const auto declined = declined_.find(delivery.user.text);
    if (declined == declined_.end()) return true;
    if (declined->second > Clock::now()) return false;
    declined_.erase(declined);
    return true;
}

// Whose rights a delivery has: in an instance of one user his.
UserProcesses::Owner Spawner::owner_of(const LookupAnswer& answer) const {
    const control::Owner self = owners_.of(control::Role::alias);
    return owners_.single() ? UserProcesses::Owner{self.uid, self.gid}
                            : UserProcesses::Owner{answer.uid, answer.gid};
}

// As deliver_in_child, for any number of messages.
void Spawner::become_user_process(UserProcesses::Owner owner, int channel) {
    try {
        place_descriptor(channel, child_message);
        close_all_but_child_descriptors(child_message);
        show_addresses_in_titles(!control::read<"proctitle">(home_));
        drop_privilege(owner.first, owner.second);
        EventLoop::restore_signals();
        set_process_title("qmail-local", {"idle"});
        serve_user(child_message, default_delivery_);
        ::_exit(static_cast<int>(Exit::success));
    } catch (const std::exception& error) {
        log_line(std::string("qmail-local: ") + error.what());
    }
    ::_exit(static_cast<int>(Exit::temporary));
}

void Spawner::take_user_answer(std::uint64_t number, std::optional<send::Report> answer,
                               const std::string& trouble) {
    const auto found = deliveries_.find(number);
    if (found == deliveries_.end()) return;
    if (!answer) {
        report(number, send::Outcome::temporary, found->second.cut ? std::string(send::cut_text) : trouble);
    } else if (answer->recipients.empty()) {
        if (declined_.size() >= declined_limit) declined_.clear();
        declined_[found->second.user.text] = Clock::now() + declined_span;
        return begin(found->second);
    } else {
        const send::RecipientReport& first = answer->recipients[0];
        report(number, first.outcome, first.text.substr(0, report_limit));
    }
}

void Spawner::start(Delivery& delivery, const LookupAnswer& answer) {
    Pipe output = make_pipe();
    // So that nothing a delivery leaves behind can keep root waiting in read(2).
    set_nonblocking(output.read.get(), true);
    const pid_t pid = ::fork();
    if (pid < 0) throw_errno("fork", "a delivery");
    if (pid == 0) deliver_in_child(delivery, answer, output.write.get());
    delivery.pid = pid;
    if (answer.delivery_limit > 0) watch(delivery, Seconds(answer.delivery_limit));
    delivery.message.reset();
    delivery.output = std::move(output.read);
    running_.emplace(pid, answer.delivery);
}

// Who could accept an heir could report what he likes.
void Spawner::close_all_but_child_descriptors(int last) const {
    ::close_range(static_cast<unsigned>(std::max(last, start::spawner_heirs)) + 1, ~0U, 0);
    if (!line_.holds_lock()) ::close(start::spawner_heirs);
}

// The new process keeps nothing of root's, becomes the recipient, and is qmail-local from there on.
void Spawner::deliver_in_child(const Delivery& delivery, const LookupAnswer& answer, int output) {
    Exit end = Exit::temporary;
    Output words(report_limit);
    try {
        place_descriptor(delivery.message.get(), child_message);
        place_descriptor(output, child_output);
        close_all_but_child_descriptors(child_output);
        show_addresses_in_titles(!control::read<"proctitle">(home_));
        const control::Owner self = owners_.of(control::Role::alias);
        drop_privilege(owners_.single() ? self.uid : answer.uid, owners_.single() ? self.gid : answer.gid);
        EventLoop::restore_signals();
        set_process_title_with_addresses("qmail-local", {delivery.order.recipient});
        const std::string_view fields(answer.text);
        auto user = decode_user(fields.substr(0, fields.size() - 1), "");
        if (!user) throw Error(Reaction::bug, "the user look-up gave a user that cannot be read");
        const mail::AddressParts recipient = mail::split_address(delivery.order.recipient);
        Order order{*std::move(user),
                    std::string(recipient.local),
                    std::string(recipient.domain),
                    delivery.order.sender,
                    default_delivery_,
                    std::nullopt};
        if (answer.program_limit > 0) order.program_limit = Seconds(answer.program_limit);
        // users/assign may give one uid to many users, and a user instance has one for everything.
        order.own_uid = !answer.assigned && !owners_.single();
        order.extension = delivery.order.extension;
        end = deliver(home_, order, Message(child_message, delivery.order.message_size), words);
    } catch (const std::exception& error) {
        words.complain(std::string("qmail-lspawn: ") + error.what() + ". (#4.3.0)");
    }
    const std::string text = words.take();
    [[maybe_unused]] const ssize_t written = ::write(child_output, text.data(), text.size());
    ::_exit(static_cast<int>(end));
}

// Looked at now and then, all together: few deliveries ever meet their end so.
void Spawner::watch(Delivery& delivery, Seconds limit) {
    delivery.overdue_at = Clock::now() + limit;
    const auto pause = std::min<std::chrono::milliseconds>(limit, longest_look_pause);
    if (look_timer_ != 0 && next_look_ <= Clock::now() + pause) return;
    if (look_timer_ != 0) loop_.cancel(look_timer_);
    next_look_ = Clock::now() + pause;
    look_timer_ = loop_.after(pause, [this] { end_overdue(); });
}

// One that the user has stopped is ended, too; its report comes when it has been reaped.
void Spawner::end_overdue() {
    look_timer_ = 0;
    bool more = false;
    const auto now = Clock::now();
    for (auto& [number, delivery] : deliveries_) {
        if (delivery.pid < 0 || delivery.overdue || delivery.overdue_at == Clock::time_point{}) continue;
        delivery.overdue = now >= delivery.overdue_at;
        if (delivery.overdue) ::kill(delivery.pid, SIGKILL);
        more = more || !delivery.overdue;
    }
    if (!more) return;
    next_look_ = now + longest_look_pause;
    look_timer_ = loop_.after(longest_look_pause, [this] { end_overdue(); });
}

void Spawner::reap() {
    int status = 0;
    for (pid_t pid = 0; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
        const auto found = running_.find(pid);
        if (found == running_.end()) {
            users_.reaped(pid);
            continue;
        }
        const std::uint64_t number = found->second;
        running_.erase(found);
        end(deliveries_.at(number), status);
    }
}

void Spawner::end(Delivery& delivery, int status) {
    std::array<char, report_limit> buffer{};
    // All that was written is in the pipe: the delivery was its only writer, and writes once.
    const ssize_t count = ::read(delivery.output.get(), buffer.data(), buffer.size());
    std::string text(buffer.data(), count > 0 ? static_cast<std::size_t>(count) : 0);
    send::Outcome outcome = send::Outcome::temporary;
    if (!WIFEXITED(status))
        text = delivery.cut       ? std::string(send::cut_text)
               : delivery.overdue ? "This delivery took too long. (#4.3.0)"
                                  : "qmail-local crashed. (#4.3.0)";
    else if (WEXITSTATUS(status) == static_cast<int>(Exit::success))
        outcome = send::Outcome::success;
    else if (WEXITSTATUS(status) == static_cast<int>(Exit::permanent))
        outcome = send::Outcome::permanent;
    report(delivery.order.delivery, outcome, without_line_end(std::move(text)));
}

void Spawner::report(std::uint64_t delivery, send::Outcome outcome, std::string text) {
    deliveries_.erase(delivery);
    send::Report report;
    report.delivery = delivery;
    std::string status = mail::enhanced_status(send::status_class(outcome), "", text);
    report.recipients.push_back({outcome, std::move(text), std::move(status)});
    line_.report(delivery, send::encode(report));
}

// What has not begun is ordered again by the next qmail-send.
void Spawner::retire() {
    std::erase_if(deliveries_, [this](const auto& entry) {
        if (entry.second.begun) return false;
        line_.give_back(entry.first);
        return true;
    });
}

// By hand: one that has a process for itself reports when that has been reaped.
void Spawner::cut(std::uint64_t number) {
    const auto found = deliveries_.find(number);
    if (found == deliveries_.end()) return;  // its report is on the way
    Delivery& delivery = found->second;
    delivery.cut = true;
    if (delivery.pid > 0)
        kill_family(delivery.pid);
    else if (!delivery.begun || !users_.cut(number))
        report(number, send::Outcome::temporary, std::string(send::cut_text));
}

}  // namespace relais::local
