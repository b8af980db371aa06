// Spawner: the processes that deliver, from the fork to the report.
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/io.h"
#include "base/place_descriptor.h"
#include "base/privilege.h"
#include "base/process_title.h"
#include "base/program.h"
#include "base/time.h"
#include "control/setting.h"
#include "local/delivery.h"
#include "local/settings.h"
#include "local/spawner.h"
#include "local/user_database.h"
#include "local/user_process.h"
#include "mail/address.h"
#include "send/rewrite.h"
#include "start/descriptors.h"

namespace relais::local {
namespace {

constexpr std::chrono::milliseconds longest_look_pause{10'000};
// Where a delivery's own descriptors lie: everything else of this process is closed in it.
constexpr int child_message = start::spawner_channel;
constexpr int child_output = start::spawner_heirs + 1;
static_assert(start::spawner_heirs == start::spawner_channel + 1);

std::string without_line_end(std::string text) {
    if (text.ends_with('\n')) text.pop_back();
    return text;
}

}  // namespace

// As deliver_in_child, for any number of messages.
void Spawner::become_user_process(UserProcesses::Owner owner, int channel) {
    try {
        place_descriptor(channel, child_message);
        close_all_but_child_descriptors(child_message);
        show_addresses_in_titles(!control::read<"proctitle">(home_));
        drop_privilege(owner.first, owner.second);
        EventLoop::restore_signals();
        set_process_title("qmail-local", {"idle"});
        serve_user(home_, child_message, default_delivery_);
        ::_exit(static_cast<int>(Exit::success));
    } catch (const std::exception& error) {
        log_line(std::string("qmail-local: ") + error.what());
    }
    ::_exit(static_cast<int>(Exit::temporary));
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

// As root, for no user may know the secrets. What cannot be read now is tried later.
void Spawner::add_rewritten(const Delivery& delivery, Order& order) const {
    if (srs_domain_.domain().empty()) return;
    const Srs srs = read_srs(home_);
    const std::int64_t now = now_seconds();
    if (srs.is_rewritten(delivery.order.recipient)) {
        order.bounces_to = srs.reverse(delivery.order.recipient, now).value_or("");
        return;
    }
    const mail::AddressParts sender = mail::split_address(delivery.order.sender);
    if (!srs.works() || sender.domain.empty()) return;
    const auto rules = send::RewriteRules::read(home_);
    // Our own domains have us in their SPF.
    if (rules.is_local(sender.domain) || rules.virtual_domain(delivery.order.sender) != nullptr) return;
    order.srs_sender = srs.rewrite(delivery.order.sender, now).value_or("");
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
        Order rewritten;
        add_rewritten(delivery, rewritten);
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
        order.instance = &home_;
        order.extension = delivery.order.extension;
        order.srs_sender = std::move(rewritten.srs_sender);
        order.bounces_to = std::move(rewritten.bounces_to);
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

}  // namespace relais::local
